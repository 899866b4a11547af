"""The built-in pages: see `streamapp.ui.pages`."""
