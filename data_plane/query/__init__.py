"""The query language: filters, sorts and cursors over declared fields, compiled to SQL that an index answers.

`parse` reads a filter, `plan` chooses where rows come from, `compile` writes the statement, `run` runs it. Features
give a `Resource` (its fields, their operators and indexes) and turn the ids of a page into views.
"""
