"""Things with identity and rules, and the values they travel as. No I/O, no framework."""
