"""Converters of other projects' published weights."""
