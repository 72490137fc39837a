"""The tasks of `peers.py` in Polars, two threads; and the floor.

    python3 peers_polars.py synthea CSV_FOLDER CONCEPT_PARQUET OUT
    python3 peers_polars.py omop PARQUET_FOLDER OUT
    python3 peers_polars.py floor INPUT_FOLDER RECORDS_RUN OUT

`peers.py` runs this and reads the last line: seconds from after the imports to
the end, of the floor those of decoding and encoding. Ids are Polars' own
hashes of Synthea's; see `peers.py`.
"""

import os
import pathlib
import sys
import time

os.environ["POLARS_MAX_THREADS"] = "2"

import polars as pl
from polars import col, lit

from peers_layout import DAYS, ORDER

BEGAN = time.monotonic()

# As fast as the one in memory, and takes less of it.
ENGINE = "streaming"
CONCEPTS = {"M": 8507, "F": 8532}
RACES = {"white": 8527, "black": 8516, "asian": 8515, "native": 8657, "hawaiian": 8557}
ETHNICITIES = {"hispanic": 38003563, "nonhispanic": 38003564}
VISITS = {"inpatient": 9201, "emergency": 9203, "ambulatory": 9202, "outpatient": 9202,
          "wellness": 9202, "urgentcare": 8782, "home": 581476, "hospice": 8546,
          "snf": 42898160, "virtual": 5083}
ADDRESS = ("ADDRESS", "CITY", "STATE", "COUNTY", "ZIP", "LAT", "LON")


def id_of(key):
    key = col(key) if isinstance(key, str) else key
    # A key that is not there has no id.
    return pl.when(key.is_not_null()).then((key.hash() // 2).cast(pl.Int64))


def id_of_row(*columns):
    return (pl.struct(*columns).hash() // 2).cast(pl.Int64)


def instant(column):
    return col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us")


def day(column):
    return col(column).str.to_date("%Y-%m-%d")


def number(column):
    return col(column).cast(pl.Float64)


def kind(column, words):
    return col(column).replace_strict(words, default=0, return_dtype=pl.Int64)


def nothing(dtype):
    return lit(None, dtype=dtype)


def fixed(value):
    return lit(value, dtype=pl.Int64)


class Work:
    """The folders that are read and written."""

    def __init__(self, source, out):
        self.source, self.out = pathlib.Path(source), pathlib.Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.concepts = self.visits = None

    def csv(self, table):
        """A table's CSV as text: types are said where a column is used."""
        return pl.scan_csv(sorted(self.source.glob(f"**/{table}.csv*")), infer_schema=False)

    def write(self, table, frame):
        if table in ORDER:
            frame = frame.sort("person_id", *ORDER[table])
        frame.lazy().sink_parquet(self.out / f"{table}.parquet", compression="zstd",
                                  compression_level=1, row_group_size=131072, engine=ENGINE)

    def written(self, table):
        return pl.scan_parquet(self.out / f"{table}.parquet")

    def stage(self, table, *columns):
        """Rows with an id of all that they say, each once, with the provider of
        their visit and the concept of their code."""
        rows = self.csv(table)
        return (rows.select(id_of_row(pl.all()).alias("row_id"), id_of("PATIENT").alias("person_id"),
                            id_of("ENCOUNTER").alias("visit_occurrence_id"), *columns)
                .unique("row_id")
                .join(self.visits, on="visit_occurrence_id", how="left")
                .join(self.concepts, on=["vocabulary", "code"], how="left"))


def synthea(csv_folder, concept, out):
    work = Work(csv_folder, out)
    work.concepts = pl.read_parquet(concept).select(
        col("vocabulary_id").alias("vocabulary"), col("concept_code").alias("code"), "concept_id"
    ).lazy()
    sites(work)
    persons(work)
    encounters = visits(work)
    paid = clinical(work)
    costs(work, encounters, paid)
    del encounters, paid
    periods_and_eras(work)
    observed(work)


def addressed(work, table):
    rows = work.csv(table)
    if table == "organizations":
        rows = rows.with_columns(nothing(pl.String).alias("COUNTY"))
    return rows.with_columns(id_of_row(*ADDRESS).alias("location_id"))


def sites(work):
    addresses = pl.concat([addressed(work, table).select("location_id", *ADDRESS)
                           for table in ("patients", "organizations")]).unique("location_id")
    work.write("location", addresses.select(
        "location_id", address_1="ADDRESS", city="CITY", state="STATE", county="COUNTY", zip="ZIP",
        latitude=number("LAT"), longitude=number("LON")))
    work.write("care_site", addressed(work, "organizations").select(
        care_site_id=id_of("Id"), care_site_name="NAME", location_id="location_id",
        care_site_source_value="Id").unique())
    work.write("provider", work.csv("providers").select(
        provider_id=id_of("Id"), provider_name="NAME",
        specialty_concept_id=kind("SPECIALITY", {"GENERAL PRACTICE": 38004446}),
        care_site_id=id_of("ORGANIZATION"), gender_concept_id=kind("GENDER", CONCEPTS),
        provider_source_value="Id", specialty_source_value="SPECIALITY",
        gender_source_value="GENDER").unique())


def persons(work):
    born = day("BIRTHDATE")
    work.write("person", addressed(work, "patients").select(
        person_id=id_of("Id"), gender_concept_id=kind("GENDER", CONCEPTS),
        year_of_birth=born.dt.year().cast(pl.Int64), month_of_birth=born.dt.month().cast(pl.Int64),
        day_of_birth=born.dt.day().cast(pl.Int64), birth_datetime=born.cast(pl.Datetime("us")),
        race_concept_id=kind("RACE", RACES), ethnicity_concept_id=kind("ETHNICITY", ETHNICITIES),
        location_id="location_id", person_source_value="Id", gender_source_value="GENDER",
        race_source_value="RACE", ethnicity_source_value="ETHNICITY"))
    work.write("death", work.csv("patients").filter(col("DEATHDATE").is_not_null()).select(
        person_id=id_of("Id"), death_date=day("DEATHDATE"), death_type_concept_id=fixed(32817)))
    payers = work.csv("payers").select(PAYER="Id", name="NAME").unique()
    plans = work.csv("payer_transitions").with_columns(id_of_row(pl.all()).alias("row_id")).unique(
        "row_id").join(payers, on="PAYER", how="left").with_columns(vocabulary=lit("Payer")).join(
        work.concepts, left_on=["vocabulary", "PAYER"], right_on=["vocabulary", "code"], how="left")
    work.write("payer_plan_period", plans.select(
        payer_plan_period_id="row_id", person_id=id_of("PATIENT"),
        payer_plan_period_start_date=instant("START_DATE").dt.date(),
        payer_plan_period_end_date=instant("END_DATE").dt.date(), payer_concept_id="concept_id",
        payer_source_value="name", payer_source_concept_id="concept_id",
        sponsor_source_value="PLAN_OWNERSHIP", family_source_value="MEMBERID"))


def visits(work):
    encounters = work.csv("encounters").select(
        id_of_row(pl.all()).alias("row_id"), visit_occurrence_id=id_of("Id"),
        person_id=id_of("PATIENT"), provider_id=id_of("PROVIDER"), care_site_id=id_of("ORGANIZATION"),
        start=instant("START"), finish=instant("STOP"), kind="ENCOUNTERCLASS", code="CODE",
        vocabulary=lit("SNOMED"), charge=number("TOTAL_CLAIM_COST"),
        cost=number("BASE_ENCOUNTER_COST"), payer=number("PAYER_COVERAGE")
    ).collect(engine=ENGINE)
    work.visits = encounters.lazy().select("visit_occurrence_id", "provider_id")
    work.write("visit_occurrence", encounters.lazy().join(
        work.concepts, on=["vocabulary", "code"], how="left"
    ).select(
        "visit_occurrence_id", "person_id", visit_concept_id=kind("kind", VISITS),
        visit_start_date=col("start").dt.date(), visit_start_datetime="start",
        visit_end_date=pl.coalesce("finish", "start").dt.date(), visit_end_datetime="finish",
        visit_type_concept_id=fixed(32817), provider_id="provider_id",
        care_site_id="care_site_id", visit_source_value="kind",
        visit_source_concept_id="concept_id"))
    served = instant("SERVICEDATE")
    work.write("visit_detail", work.csv("claims").select(
        visit_detail_id=id_of("Id"), person_id=id_of("PATIENTID"), visit_detail_concept_id=fixed(0),
        visit_detail_start_date=served.dt.date(), visit_detail_start_datetime=served,
        visit_detail_end_date=served.dt.date(), visit_detail_end_datetime=served,
        visit_detail_type_concept_id=fixed(32810), provider_id=id_of("PROVIDERID"),
        visit_detail_source_value=pl.concat_str(lit("claim"), "STATUSP", separator=" ",
                                                ignore_nulls=True),
        visit_occurrence_id=id_of("APPOINTMENTID")))
    return encounters.select("visit_occurrence_id", "person_id", "row_id", "charge", "cost", "payer")


CODE = col("CODE").alias("code")


def of(vocabulary):
    return lit(vocabulary).alias("vocabulary")


def event(frame, name, **columns):
    """Rows of an event table, its id and concepts named as OMOP does."""
    short = {"device_exposure": "device", "drug_exposure": "drug"}.get(
        name, name.removesuffix("_occurrence"))
    ids = {f"{name}_id": "row_id", "person_id": "person_id", f"{short}_concept_id": "concept_id"}
    more = {f"{short}_type_concept_id": fixed(32817), "provider_id": "provider_id",
            "visit_occurrence_id": "visit_occurrence_id", f"{short}_source_value": "code",
            f"{short}_source_concept_id": "concept_id"}
    return frame.lazy().select(**ids, **columns, **more)


def clinical(work):
    """Writes the events; gives those that carry costs."""
    stop = {"start_time": instant("START"), "end_time": instant("STOP")}
    medications = work.stage(
        "medications", CODE, of("RxNorm"), instant("START").alias("start"),
        instant("STOP").alias("finish"), col("DISPENSES").cast(pl.Int64).sub(1).clip(0).alias("refills"),
        "TOTALCOST", "BASE_COST", "PAYER_COVERAGE").collect(engine=ENGINE)
    vaccines = work.stage("immunizations", CODE, of("CVX"), instant("DATE").alias("start"),
                          "BASE_COST").collect(engine=ENGINE)
    work.write("drug_exposure", pl.concat([
        event(frame, "drug_exposure", drug_exposure_start_date=col("start").dt.date(),
              drug_exposure_start_datetime="start", drug_exposure_end_date=col(end).dt.date(),
              drug_exposure_end_datetime=end, verbatim_end_date=verbatim, refills=refills)
        for frame, end, verbatim, refills in (
            (medications, "finish", col("finish").dt.date(), col("refills")),
            (vaccines, "start", nothing(pl.Date), nothing(pl.Int64)))]))
    procedures = work.stage(
        "procedures", CODE, of("SNOMED"), *(e.alias(n) for n, e in stop.items()), "BASE_COST"
    ).collect(engine=ENGINE)
    work.write("procedure_occurrence", pl.concat([
        event(procedures, "procedure_occurrence", procedure_date=col("start_time").dt.date(),
              procedure_datetime="start_time", procedure_end_date=col("end_time").dt.date(),
              procedure_end_datetime="end_time", modifier_source_value=nothing(pl.String)),
        event(work.stage("careplans", CODE, of("SNOMED"), day("START").alias("start"),
                         day("STOP").alias("finish")),
              "procedure_occurrence", procedure_date="start",
              procedure_datetime=nothing(pl.Datetime("us")), procedure_end_date="finish",
              procedure_end_datetime=nothing(pl.Datetime("us")),
              modifier_source_value=lit("care plan")),
        event(work.stage("imaging_studies", pl.coalesce("PROCEDURE_CODE", "MODALITY_CODE").alias("code"),
                         pl.when(col("PROCEDURE_CODE").is_null()).then(lit("DICOM"))
                         .otherwise(lit("SNOMED")).alias("vocabulary"),
                         instant("DATE").alias("start_time"),
                         pl.concat_str("MODALITY_DESCRIPTION", "BODYSITE_DESCRIPTION",
                                       separator=", ", ignore_nulls=True).alias("modifier")),
              "procedure_occurrence", procedure_date=col("start_time").dt.date(),
              procedure_datetime="start_time", procedure_end_date=nothing(pl.Date),
              procedure_end_datetime=nothing(pl.Datetime("us")), modifier_source_value="modifier"),
    ]))
    work.write("condition_occurrence", event(
        work.stage("conditions", CODE, of("SNOMED"), day("START").alias("start"),
                   day("STOP").alias("finish")),
        "condition_occurrence", condition_start_date="start", condition_end_date="finish"))
    work.write("device_exposure", pl.concat([
        event(work.stage("devices", CODE, of("SNOMED"), instant("START").alias("start"), "UDI"),
              "device_exposure", device_exposure_start_date=col("start").dt.date(),
              device_exposure_start_datetime="start", unique_device_id="UDI",
              quantity=nothing(pl.Int64)),
        event(work.stage("supplies", CODE, of("SNOMED"), day("DATE").alias("start"), "QUANTITY"),
              "device_exposure", device_exposure_start_date="start",
              device_exposure_start_datetime=nothing(pl.Datetime("us")),
              unique_device_id=nothing(pl.String), quantity=col("QUANTITY").cast(pl.Int64)),
    ]))
    observations(work)
    return medications, vaccines, procedures


def observations(work):
    is_number = col("number").is_not_null()
    measured = is_number | col("CATEGORY").is_in(["vital-signs", "laboratory"]).fill_null(False)
    observed = work.stage(
        "observations", CODE, of("LOINC"), instant("DATE").alias("start"), "CATEGORY", "VALUE",
        "UNITS", pl.when(col("TYPE") == "numeric").then(col("VALUE").cast(pl.Float64, strict=False))
        .alias("number")).collect(engine=ENGINE).lazy()
    work.write("measurement", event(
        observed.filter(measured), "measurement", measurement_date=col("start").dt.date(),
        measurement_datetime="start", value_as_number="number", unit_source_value="UNITS",
        value_source_value="VALUE"))
    reaction = [pl.concat_str(f"DESCRIPTION{n}", pl.concat_str(lit(" ("), f"SEVERITY{n}", lit(")"))
                              .fill_null("")) for n in (1, 2)]
    said = pl.concat_str(*reaction, separator="; ", ignore_nulls=True)
    allergies = work.stage(
        "allergies", CODE, col("SYSTEM").replace("SNOMED-CT", "SNOMED").alias("vocabulary"),
        day("START").alias("start"),
        pl.when(said != "").then(said).alias("value"),
        pl.concat_str("TYPE", "CATEGORY", separator=", ", ignore_nulls=True).alias("qualifier"))
    work.write("observation", pl.concat([
        event(observed.filter(~measured), "observation", observation_date=col("start").dt.date(),
              observation_datetime="start", value_as_string="VALUE",
              qualifier_source_value="CATEGORY", value_source_value="VALUE"),
        event(allergies, "observation", observation_date="start",
              observation_datetime=nothing(pl.Datetime("us")), value_as_string="value",
              qualifier_source_value="qualifier", value_source_value="value")]))


def costs(work, encounters, paid):
    medications, vaccines, procedures = paid

    def own(frame, event_id, domain, charge, cost, payer):
        amounts = {"total_charge": charge, "total_cost": cost, "paid_by_payer": payer}
        amounts = {n: number(c) if c else nothing(pl.Float64) for n, c in amounts.items()}
        return frame.lazy().select(
            cost_id="row_id", person_id="person_id", cost_event_id=event_id,
            cost_domain_id=lit(domain), cost_type_concept_id=fixed(32817),
            currency_concept_id=fixed(44818668), **amounts, total_paid=nothing(pl.Float64),
            paid_by_patient=nothing(pl.Float64), paid_patient_copay=nothing(pl.Float64),
            amount_allowed=nothing(pl.Float64), revenue_code_source_value=nothing(pl.String),
            drg_source_value=nothing(pl.String))

    by, payment = col("METHOD"), number("PAYMENTS")
    way = pl.when(col("TYPE") == "PAYMENT").then(by).otherwise(col("TRANSFERTYPE"))
    transactions = work.csv("claims_transactions").select(
        cost_id=id_of("ID"), person_id=id_of("PATIENTID"), cost_event_id=id_of("CLAIMID"),
        cost_domain_id=lit("Visit Detail"), cost_type_concept_id=fixed(32810),
        currency_concept_id=fixed(44818668),
        total_charge=pl.when(col("TYPE") == "CHARGE").then(number("AMOUNT")),
        total_cost=nothing(pl.Float64), paid_by_payer=pl.when(by == "ECHECK").then(payment),
        total_paid=payment, paid_by_patient=pl.when(by.ne_missing("ECHECK")).then(payment),
        paid_patient_copay=pl.when(by == "COPAY").then(payment), amount_allowed=number("TRANSFERS"),
        revenue_code_source_value=pl.concat_str("TYPE", way, separator=":", ignore_nulls=True),
        drg_source_value="PROCEDURECODE")
    work.write("cost", pl.concat([
        own(encounters, "visit_occurrence_id", "Visit", "charge", "cost", "payer"),
        own(medications, "row_id", "Drug", "TOTALCOST", "BASE_COST", "PAYER_COVERAGE"),
        own(vaccines, "row_id", "Drug", None, "BASE_COST", None),
        own(procedures, "row_id", "Procedure", None, "BASE_COST", None),
        transactions]))


def periods_and_eras(work):
    for kind_of, table, start, finish, counted in (
            ("condition", "condition_occurrence", "condition_start_date", "condition_end_date",
             "condition_occurrence_count"),
            ("drug", "drug_exposure", "drug_exposure_start_date", "drug_exposure_end_date",
             "drug_exposure_count")):
        rows = work.written(table)
        ends = [col(finish), col(start) + pl.duration(days=1)]
        if "days_supply" in rows.collect_schema():
            supply = col("days_supply")
            ends.insert(1, pl.when(supply > 0).then(col(start) + pl.duration(days=supply)))
        work.write(f"{kind_of}_era", eras(rows.select(
            "person_id", concept=f"{kind_of}_concept_id", start=start,
            finish=pl.max_horizontal(start, pl.coalesce(ends)).cast(pl.Date)), kind_of, counted))


def eras(spans, kind_of, counted):
    """Occurrences of one concept whose gaps are at most 30 days become one. Days
    are counted on from person to person, so that one running maximum does."""
    spans = spans.filter(col("concept") != 0).sort("person_id", "concept", "start", "finish").collect()
    first = (col("person_id") != col("person_id").shift()) | (col("concept") != col("concept").shift())
    group = first.fill_null(True).cum_sum().cast(pl.Int64) * (1 << 20)
    marked = spans.lazy().with_columns(
        gap=(group + col("start").to_physical().cast(pl.Int64))
        - (group + col("finish").to_physical().cast(pl.Int64)).cum_max().shift())
    joined = col("gap").fill_null(31) <= 30
    made = marked.with_columns(era=(~joined).cum_sum(), bridged=pl.when(joined).then(
        col("gap").clip(0)).otherwise(0)).group_by("era").agg(
        col("person_id").first(), col("concept").first(), col("start").min(), col("finish").max(),
        pl.len().cast(pl.Int64).alias("count"), col("bridged").sum())
    more = {"gap_days": "bridged"} if kind_of == "drug" else {}
    return made.select(**{
        f"{kind_of}_era_id": id_of_row("person_id", "concept", "start"), "person_id": "person_id",
        f"{kind_of}_concept_id": "concept", f"{kind_of}_era_start_date": "start",
        f"{kind_of}_era_end_date": "finish", counted: "count", **more})


def observed(work):
    """From the first day of a person's records to the last."""
    spans = pl.concat([
        work.written(table).group_by("person_id").agg(
            col(start).min().alias("start"),
            pl.max_horizontal(col(start).max(), col(finish).max()).alias("finish"))
        for table, (start, finish) in DAYS.items()])
    periods = spans.group_by("person_id").agg(col("start").min(), col("finish").max())
    work.write("observation_period", periods.select(
        observation_period_id=id_of_row("person_id", "start"), person_id="person_id",
        observation_period_start_date="start", observation_period_end_date="finish",
        period_type_concept_id=fixed(32880)))


def omop(folder, out):
    work = Work(folder, out)
    for path in sorted(work.source.glob("*.parquet")):
        work.write(path.stem, pl.scan_parquet(path))
    periods_and_eras(work)


def floor(folder, run, out):
    """Seconds to decode all columns of the input once (text stays text) and to
    encode and compress farr's own output once; its reading is not counted."""
    seconds = 0.0
    for path in sorted(pathlib.Path(folder).glob("**/*")):
        if ".csv" in path.suffixes:
            rows = pl.scan_csv(path, infer_schema=False)
        elif path.suffix == ".parquet":
            rows = pl.scan_parquet(path)
        else:
            continue
        start = time.monotonic()
        # In batches, so that a file need not fit into memory.
        rows.sink_batches(lambda batch: None, engine="streaming")
        seconds += time.monotonic() - start
    target = pathlib.Path(out) / "floor.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in sorted(pathlib.Path(run).glob("**/*.parquet")):
        frame = pl.read_parquet(path)
        start = time.monotonic()
        frame.write_parquet(target, compression="zstd", compression_level=1, row_group_size=131072)
        seconds += time.monotonic() - start
    return seconds


if __name__ == "__main__":
    given = {"synthea": synthea, "omop": omop, "floor": floor}[sys.argv[1]](*sys.argv[2:])
    print(time.monotonic() - BEGAN if given is None else given)
