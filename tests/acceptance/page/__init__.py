"""The page in a real browser, over the real HTTP face with a scripted service behind it."""
