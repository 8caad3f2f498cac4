"""Documents and plans as text, Markdown, HTML, CSV and JSON, for people: values in, texts out."""
