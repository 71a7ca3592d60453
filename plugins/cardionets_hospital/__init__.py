"""A hospital's archive: ECG files in any mix of formats, a table of labels, and paired CMR."""
