"""Numbers of the leads, shared by SCP-ECG and MDC.

Source: EN 1064 (SCP-ECG) section 3; ISO/IEEE 11073-10101, MDC_ECG_LEAD_*.
"""

from __future__ import annotations

LEAD_BY_CODE = {
    1: "I",
    2: "II",
    3: "V1",
    4: "V2",
    5: "V3",
    6: "V4",
    7: "V5",
    8: "V6",
    61: "III",
    62: "aVR",
    63: "aVL",
    64: "aVF",
}
