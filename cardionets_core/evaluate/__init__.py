"""Evaluation: retrieval, intervals, figures."""
