"""Tasks, and the heads that turn an encoder's features into a task's output."""
