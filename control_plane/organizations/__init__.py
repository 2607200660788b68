"""Organizations: who pays, and who owns apps."""
