"""Generated pictures and the questions that can be asked about them: pure functions of a seed."""
