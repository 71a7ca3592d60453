"""Minimal files of the XML formats with every trap planted, written from the formats' own facts.

Loaded by path: tests are no package. Counts are whole numbers per lead. Nothing here comes from a
real file.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cardionets_core.ecg.canonical import CANONICAL_LEADS
from cardionets_core.testing import made_up_ecg

MUSE_LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
STEP_MV = 0.005
# What identifies a person or a place, planted wherever the formats have room for it.
FAMILY = "Quixworth"
GIVEN = "Zenobia"
PATIENT_ID = "PID84735210"
BORN = (1961, 2, 3)
DOCTOR = "Dr-Vanderplank"
PLACE = "Saint-Elsewhere"
SECRETS = (
    FAMILY,
    GIVEN,
    PATIENT_ID,
    DOCTOR,
    PLACE,
    "1961-02-03",
    "19610203",
    "02-03-1961",
    "03.02",
)

Counts = Mapping[str, np.ndarray]


def counts_of(
    seconds: float = 2.0,
    rate_hz: float = 500.0,
    leads: Sequence[str] = CANONICAL_LEADS,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """An ECG in whole steps of 5 uV, lead by lead."""
    record = made_up_ecg(seconds=seconds, sampling_rate_hz=rate_hz, leads=leads, seed=seed)
    counts = np.rint(record.signal_mv / STEP_MV).astype(np.int64)
    return dict(zip(leads, counts, strict=True))


def cardiosoft(
    counts: Counts,
    *,
    rate: object = 500,
    resolution: object = 5,
    unit: str = "uVperLsb",
    encoding: str = "ISO-8859-1",
) -> bytes:
    """CardioSoft: averaged beat before, full disclosure after, all under the same lead names."""
    samples = len(next(iter(counts.values())))
    beat = {name: row[:50] + 700 for name, row in counts.items()}
    text = f"""<?xml version="1.0" encoding="{encoding}" ?>
<CardiologyXML>
\t<ObservationType>RestECG</ObservationType>
\t<ObservationDateTime><Hour>7</Hour><Minute>5</Minute><Second>9</Second><Day>1</Day>
\t<Month>3</Month><Year>2018</Year></ObservationDateTime>
\t<ClinicalInfo><Technician><FamilyName>{DOCTOR}</FamilyName></Technician></ClinicalInfo>
\t<PatientVisit><ServicingFacility><Name>{PLACE}</Name></ServicingFacility></PatientVisit>
\t<PatientInfo><PID>{PATIENT_ID}</PID><Name><FamilyName>{FAMILY}</FamilyName>
\t<GivenName>{GIVEN} \u00e9\u00fc</GivenName></Name><BirthDateTime><Day>{BORN[2]}</Day>
\t<Month>{BORN[1]}</Month><Year>{BORN[0]}</Year></BirthDateTime><Gender>FEMALE</Gender></PatientInfo>
\t<RestingECGMeasurements><VentricularRate units="BPM"></VentricularRate>
\t<MedianSamples>{_cardiosoft_block(beat, 50, rate, 1, unit)}</MedianSamples>
\t</RestingECGMeasurements>
\t<StripData>{_cardiosoft_block(counts, samples, rate, resolution, unit)}
\t\t<ArrhythmiaResults><Time units="ms">800</Time></ArrhythmiaResults>
\t</StripData>
\t<FullDisclosure><NumberOfChannels>12</NumberOfChannels><SampleRate units="Hz">500</SampleRate>
\t<Resolution units="uVperLsb">5</Resolution><LeadOrder>I,II</LeadOrder>
\t<FullDisclosureData>0,0,0,0,\n\t0,0,0,0</FullDisclosureData></FullDisclosure>
</CardiologyXML>
"""
    return text.encode(encoding)


def _cardiosoft_block(
    counts: Counts, samples: int, rate: object, resolution: object, unit: str
) -> str:
    waveforms = "".join(
        f'<WaveformData lead="{name}">{_wrapped(row, ",")}\n\t\t</WaveformData>\n'
        for name, row in counts.items()
    )
    return (
        f"<NumberOfLeads>{len(counts)}</NumberOfLeads>"
        f'<SampleRate units="Hz">{rate}</SampleRate>'
        f"<ChannelSampleCountTotal>{samples}</ChannelSampleCountTotal>"
        f'<Resolution units="{unit}">{resolution}</Resolution>\n{waveforms}'
    )


def _wrapped(row: np.ndarray, separator: str) -> str:
    """Numbers in lines of twenty, each line indented."""
    cells = [str(int(count)) for count in row]
    lines = [separator.join(cells[at : at + 20]) for at in range(0, len(cells), 20)]
    return f"{separator}\n\t\t\t".join(lines)


def muse(
    counts: Counts,
    *,
    base: object = 500,
    exponent: object = 0,
    step: object = 5,
    unit: str = "MICROVOLTS",
    encoding: str = "UTF-8",
    more: Sequence[str] = (),
) -> bytes:
    """MUSE: external document type, median before rhythm, eight leads in base64."""
    beat = {name: row[:50] + 700 for name, row in counts.items()}
    text = f"""<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE RestingECG SYSTEM "restecg.dtd">
<RestingECG>
   <MuseInfo><MuseVersion>9.0</MuseVersion></MuseInfo>
   <PatientDemographics><PatientID>{PATIENT_ID}</PatientID><DateofBirth>02-03-1961</DateofBirth>
   <PatientLastName>{FAMILY}</PatientLastName><PatientFirstName>{GIVEN}</PatientFirstName>
   </PatientDemographics>
   <TestDemographics><SiteName>{PLACE}</SiteName><AcquisitionTime>10:35:17</AcquisitionTime>
   <AcquisitionDate>03-14-2024</AcquisitionDate><OverreaderLastName>{DOCTOR}</OverreaderLastName>
   </TestDemographics>
   {muse_waveform(beat, "Median", base, exponent, 1, unit)}
   {muse_waveform(counts, "Rhythm", base, exponent, step, unit)}
   {"".join(more)}
</RestingECG>
"""
    return text.encode(encoding)


def muse_waveform(
    counts: Counts,
    kind: str = "Rhythm",
    base: object = 500,
    exponent: object = 0,
    step: object = 5,
    unit: str = "MICROVOLTS",
) -> str:
    """One ``Waveform`` element."""
    leads = "".join(_muse_lead(name, row, step, unit) for name, row in counts.items())
    return (
        f"<Waveform><WaveformType>{kind}</WaveformType><WaveformStartTime>0</WaveformStartTime>"
        f"<NumberofLeads>{len(counts)}</NumberofLeads><SampleType>CONTINUOUS_SAMPLES</SampleType>"
        f"<SampleBase>{base}</SampleBase><SampleExponent>{exponent}</SampleExponent>{leads}</Waveform>"
    )


def _muse_lead(name: str, row: np.ndarray, step: object, unit: str) -> str:
    raw = np.asarray(row).astype("<i2").tobytes()
    text = base64.encodebytes(raw).decode()
    return (
        f"<LeadData><LeadByteCountTotal>{len(raw)}</LeadByteCountTotal>"
        f"<LeadTimeOffset>0</LeadTimeOffset>"
        f"<LeadSampleCountTotal>{len(row)}</LeadSampleCountTotal>"
        f"<LeadAmplitudeUnitsPerBit>{step}</LeadAmplitudeUnitsPerBit>"
        f"<LeadAmplitudeUnits>{unit}</LeadAmplitudeUnits><LeadID>{name}</LeadID>"
        f"<LeadOffsetFirstSample>0</LeadOffsetFirstSample>"
        f"<FirstSampleBaseline>0</FirstSampleBaseline><LeadSampleSize>2</LeadSampleSize>"
        f"<LeadOff>FALSE</LeadOff><LeadDataCRC32>{zlib.crc32(raw)}</LeadDataCRC32>"
        f"<WaveFormData>\n{text}</WaveFormData></LeadData>\n"
    )


def aecg(
    counts: Counts,
    *,
    increment: object = "0.002",
    increment_unit: str = "s",
    scale: object = 5,
    unit: str = "uV",
    origin: object = 0,
    origin_unit: str | None = None,
    time: str = "TIME_ABSOLUTE",
    more: Sequence[str] = (),
) -> bytes:
    """An aECG: a derived beat with the same codes inside the series, and one beside it."""
    beat = {name: row[:50] + 700 for name, row in counts.items()}
    sequences = aecg_sequences(
        counts,
        increment=increment,
        increment_unit=increment_unit,
        scale=scale,
        unit=unit,
        origin=origin,
        origin_unit=unit if origin_unit is None else origin_unit,
        time=time,
    )
    derived = aecg_sequences(beat, scale=1, time="TIME_RELATIVE")
    text = f"""<!-- made up -->
<?note before the root ?>
<AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  type="Observation">
  <id root="61d1a24f" extension="{PATIENT_ID}"/>
  <effectiveTime><center value="20250101000000"/></effectiveTime>
  <componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>
    <id extension="{PATIENT_ID}"/><subjectDemographicPerson><name>{FAMILY}, {GIVEN}</name>
    <birthTime value="19610203"/></subjectDemographicPerson></trialSubject></subject>
    <componentOf><clinicalTrial><location><trialSite><location><name>{PLACE}</name></location>
    <responsibleParty><trialInvestigator><investigatorPerson><name>{DOCTOR}</name>
    </investigatorPerson></trialInvestigator></responsibleParty></trialSite></location>
    </clinicalTrial></componentOf></subjectAssignment></componentOf></timepointEvent></componentOf>
  <component><series><code code="REPRESENTATIVE_BEAT"/>
    <component>{derived}</component></series></component>
  <component><series><code code="RHYTHM" codeSystem="2.16.840.1.113883.5.4"/>
    <effectiveTime><low value="20240314103517.250+0800" inclusive="true"/></effectiveTime>
    <component>{sequences}</component>
    <derivation><derivedSeries><code code="REPRESENTATIVE_BEAT"/>
      <component>{derived}</component></derivedSeries></derivation>
  </series></component>
  {"".join(more)}
</AnnotatedECG>
"""
    return text.encode()


def aecg_series(sequence_set: str) -> str:
    """A further rhythm series around a ``sequenceSet``."""
    return (
        '<component><series><code code="RHYTHM"/>'
        f"<component>{sequence_set}</component></series></component>"
    )


def aecg_sequences(
    counts: Counts,
    *,
    increment: object = "0.002",
    increment_unit: str = "s",
    scale: object = 5,
    unit: str = "uV",
    origin: object = 0,
    origin_unit: str = "uV",
    time: str = "TIME_ABSOLUTE",
) -> str:
    """One ``sequenceSet``, its time sequence last: order says nothing."""
    kind, head = ("GLIST_TS", "20240314103517") if time == "TIME_ABSOLUTE" else ("GLIST_PQ", "0")
    leads = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{name.upper()}"/>'
        f'<value xsi:type="SLIST_PQ"><origin value="{origin}" unit="{origin_unit}"/>'
        f'<scale value="{scale}" unit="{unit}"/><digits>{_wrapped(row, " ")}</digits></value>'
        "</sequence></component>\n"
        for name, row in counts.items()
    )
    return (
        f"<sequenceSet>{leads}"
        f'<component><sequence><code code="{time}"/><value xsi:type="{kind}"><head value="{head}"/>'
        f'<increment value="{increment}" unit="{increment_unit}"/></value></sequence></component>'
        "</sequenceSet>"
    )


def philips(
    counts: Counts,
    *,
    rate: object = 500,
    resolution: object = 5,
    version: str = "1.04.01",
    encoding: str = "utf-16",
    duration_ms: object = None,
    blank_channels: int = 0,
) -> bytes:
    """Philips: XLI blocks, limb leads as residuals, averaged beats after; 1.03 names no leads."""
    samples = len(next(iter(counts.values())))
    stored = [xli_block(row) for row in residuals(counts).values()]
    stored += [xli_block(np.zeros(samples, dtype=np.int64))] * blank_channels
    waveforms = base64.encodebytes(b"".join(stored)).decode()
    duration = samples * 1000 // 500 if duration_ms is None else duration_ms
    old = version == "1.03"
    form = (
        'compressflag="True" compressmethod="XLI" nbitspersample="16"'
        if old
        else f'compression="XLI" numberofleads="{len(counts)}" leadlabels="{" ".join(counts)}" '
        f'samplespersecond="{rate}" resolution="{resolution}" signaloffset="0" bitspersample="16"'
    )
    text = f"""<?xml version="1.0" encoding="{encoding}"?>
<restingecgdata xmlns="http://www3.medical.philips.com">
 <documentinfo><documentname>{PATIENT_ID}.xml</documentname>
 <documenttype>{"SierraECG" if old else "PhilipsECG"}</documenttype>
 <documentversion>{version}</documentversion></documentinfo>
 <dataacquisition date="2020-05-18" time="15:48:11" statflag="False">
 <acquirer><operator id="{DOCTOR}"/><institutionname>{PLACE}</institutionname></acquirer>
 <signalcharacteristics><samplingrate>{rate}</samplingrate>
 <{"signal" * old}resolution>{resolution}</{"signal" * old}resolution>
 <acquisitiontype>STD-12</acquisitiontype><bitspersample>16</bitspersample>
 <signaloffset>0</signaloffset><signalsigned>True</signalsigned>
 <numberchannelsallocated>{len(counts) + blank_channels}</numberchannelsallocated>
 </signalcharacteristics></dataacquisition>
 <patient><generalpatientdata><patientid>{PATIENT_ID}</patientid><name>
 <lastname>{FAMILY}</lastname><firstname>{GIVEN}</firstname></name>
 <age><dateofbirth>1961-02-03</dateofbirth></age></generalpatientdata></patient>
 <waveforms><parsedwaveforms dataencoding="Base64" durationperchannel="{duration}" {form}>
{waveforms}</parsedwaveforms>
 <repbeats dataencoding="Base64" resolution="1.0"><repbeat leadname="I"><waveform duration="4">
 AAAAAAAAAAA=</waveform></repbeat></repbeats></waveforms>
</restingecgdata>
"""
    return text.encode(encoding)


def with_calibration(counts: Counts) -> dict[str, np.ndarray]:
    """Ten seconds, then what Philips adds: a blank piece and a pulse of 1 mV in every lead."""
    tail = np.zeros(500, dtype=np.int64)
    tail[350:450] = 200
    return {name: np.concatenate([row, tail]) for name, row in counts.items()}


def residuals(counts: Counts) -> dict[str, np.ndarray]:
    """What XLI stores: limb leads as prediction minus lead, the other leads as they are."""
    stored = {name: np.asarray(row, dtype=np.int64) for name, row in counts.items()}
    lead = dict(stored)
    if "III" in lead:
        stored["III"] = lead["II"] - lead["I"] - lead["III"]
    if "aVR" in lead:
        stored["aVR"] = -((lead["I"] + lead["II"]) // 2) - lead["aVR"]
    if "aVL" in lead:
        stored["aVL"] = (lead["I"] - lead["III"]) // 2 - lead["aVL"]
    if "aVF" in lead:
        stored["aVF"] = (lead["II"] + lead["III"]) // 2 - lead["aVF"]
    return stored


def xli_block(samples: np.ndarray) -> bytes:
    """One lead: header, then LZW codes of second differences, high bytes before low bytes."""
    bends = 2 * samples[1:-1] - samples[:-2] - samples[2:]
    words = np.concatenate([samples[:2], bends[1:] + 64, [64]])
    unsigned = (words & 0xFFFF).astype(np.uint16)
    content = (unsigned >> 8).astype(np.uint8).tobytes() + (unsigned & 0xFF).astype(
        np.uint8
    ).tobytes()
    codes = lzw(content)
    return struct.pack("<ihh", len(codes), 1, int(bends[0])) + codes


def lzw(content: bytes) -> bytes:
    """Codes of ten bits, most significant bit first; the dictionary is full at code 1022."""
    known = {bytes([value]): value for value in range(256)}
    codes = []
    word = b""
    for value in content:
        longer = word + bytes([value])
        if longer not in known:
            codes.append(known[word])
            if len(known) <= 1022:
                known[longer] = len(known)
            longer = bytes([value])
        word = longer
    codes.append(known[word])
    bits = "".join(f"{code:010b}" for code in codes)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


MAKERS = {
    "cardiosoft": lambda: cardiosoft(counts_of()),
    "muse": lambda: muse(counts_of(leads=MUSE_LEADS)),
    "aecg": lambda: aecg(counts_of()),
    "philips": lambda: philips(counts_of()),
}


def write(folder: Path, counts: np.ndarray, *, kind: str) -> Path:
    """One file of twelve leads in steps of 2.5 uV, (12, samples)."""
    step = {"aecg": "scale", "muse": "step", "philips": "resolution", "cardiosoft": "resolution"}
    rows = dict(zip(CANONICAL_LEADS, counts.astype(np.int64), strict=True))
    maker = {"aecg": aecg, "muse": muse, "philips": philips, "cardiosoft": cardiosoft}[kind]
    path = folder / f"{kind}.xml"
    path.write_bytes(maker(rows, **{step[kind]: "2.5"}))
    return path
