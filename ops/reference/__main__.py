"""Write the files."""

from ops.reference import files

for path, text in files().items():
    path.write_text(text)
