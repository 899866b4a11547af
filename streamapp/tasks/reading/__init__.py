"""How `summarize` reads a book: each module is one step from its bytes to the page that is mailed.

`text` → `chapters` → `sentences` give the items; `select`, `tone`, `arc_plot` and `render` make the report of them.
"""
