"""How a document is read: page by page, so that the model's context never bounds it. `tasks.doc_analyze` puts the parts together."""
