"""Write the files."""

from ops.reference import files
from ops.reference.python_sdk import python_sdk

for path, text in files().items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

for path, text in python_sdk().items():
    path.write_text(text)
