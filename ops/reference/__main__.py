"""Write the pages."""

from ops.reference import FOLDER, pages

for name, text in pages().items():
    (FOLDER / name).write_text(text)
