"""What a build tells: report.json, a self-contained report.html, a table for the terminal."""
