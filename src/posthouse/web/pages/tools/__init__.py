"""The tools' pages: test mail, header analyzer, explain, doctor."""
