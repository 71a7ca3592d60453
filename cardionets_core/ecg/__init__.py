"""12-lead ECG: leads, units, resampling, filters, crops, the fitted transform and quality."""
