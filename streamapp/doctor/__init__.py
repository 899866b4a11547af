"""What `streamapp doctor` looks at, a module for each check. None of them changes anything, and none needs another.

A check says what is so and, unless that is fine, what to do. What it needs and can't have (a broker that is away, say)
is another check's finding, so it is skipped then, with the reason: one fault is told once.
"""
