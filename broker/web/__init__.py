"""What is HTTP: a request read, a response written. Flask is in `broker.app` alone."""
