"""The tasks of `peers.py` in DuckDB: SQL by hand, two threads.

    python3 peers_duckdb.py synthea CSV_FOLDER CONCEPT_PARQUET OUT
    python3 peers_duckdb.py omop PARQUET_FOLDER OUT
    python3 peers_duckdb.py job RECORDS OUT

`peers.py` runs this and reads the last line: the seconds from after the imports
to the end. Ids are DuckDB's own hashes of Synthea's; see `peers.py`. What may
spill does so next to OUT.
"""

import pathlib
import sys
import time

import duckdb

from peers_job_sql import COHORTS, INCIDENCE, TABLES
from peers_layout import DAYS, ORDER

BEGAN = time.monotonic()


class Work:
    """A connection, and the folders that it reads and writes."""

    def __init__(self, source, out):
        self.source, self.out = pathlib.Path(source), pathlib.Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.db = duckdb.connect()
        self.db.execute("SET threads = 2; SET preserve_insertion_order = false")
        self.db.execute(f"SET temp_directory = '{self.out}.spill'")

    def write(self, table, query):
        order = f"ORDER BY {', '.join(('person_id', *ORDER[table]))}" if table in ORDER else ""
        self.db.execute(f"COPY ({query} {order}) TO '{self.out / table}.parquet' (FORMAT parquet, "
                        "COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 131072)")

    def written(self, table):
        return f"'{self.out / table}.parquet'"

    def csv(self, table):
        """A table's CSV as text: casts are said where a column is used."""
        files = [str(path) for path in sorted(self.source.glob(f"**/{table}.csv*"))]
        return (f"read_csv({files}, all_varchar = true, header = true, "
                "delim = ',', quote = '\"', escape = '\"')")

    def stage(self, name, columns, table):
        """Rows with an id of all that they say, each once, with the provider of
        their visit and the concept of their code."""
        self.db.execute(f"""
            CREATE TEMP TABLE {name} AS
            WITH made AS MATERIALIZED (
                SELECT id_of(hash(*COLUMNS(*))) AS row_id, id_of(PATIENT) AS person_id,
                    id_of(ENCOUNTER) AS visit_id, {columns} FROM {self.csv(table)}),
            repeated AS (SELECT row_id FROM made GROUP BY row_id HAVING count(*) > 1)
            SELECT made.*, visits.provider_id, concepts.concept_id FROM (
                SELECT * FROM made WHERE row_id NOT IN (FROM repeated)
                UNION ALL
                SELECT DISTINCT * FROM made WHERE row_id IN (FROM repeated)) made
            LEFT JOIN visits ON visits.visit_occurrence_id = made.visit_id
            LEFT JOIN concepts ON concepts.vocabulary_id = made.vocabulary
                AND concepts.concept_code = made.code""")


INSTANTS = ("START::TIMESTAMP AS start_time, STOP::TIMESTAMP AS end_time, "
            "start_time::DATE AS start, end_time::DATE AS finish")
INSTANT = "DATE::TIMESTAMP AS start_time, start_time::DATE AS start"
WHOLE_DAYS = "START::DATE AS start, STOP::DATE AS finish"
ADDRESS = "ADDRESS, CITY, STATE, {county}, ZIP, LAT, LON"
NO_TIME = "NULL::TIMESTAMP"


def synthea(csv_folder, concept, out):
    work = Work(csv_folder, out)
    db = work.db
    db.execute("CREATE MACRO id_of(key) AS (hash(key) >> 1)::BIGINT")
    db.execute(f"CREATE TEMP TABLE concepts AS SELECT vocabulary_id, concept_code, concept_id "
               f"FROM '{concept}'")
    sites(work)
    persons(work)
    visits(work)
    staged(work)
    clinical(work)
    for table in ("conditions", "careplans", "imaging", "devices", "supplies", "observed",
                  "allergies", "visits"):
        db.execute(f"DROP TABLE {table}")
    costs(work)
    periods_and_eras(work)
    observed(work)


def sites(work):
    county = {"patients": "COUNTY", "organizations": "NULL::VARCHAR"}
    addresses = " UNION ".join(
        f"SELECT id_of(hash({ADDRESS.format(county=county[table])})) AS location_id, "
        f"ADDRESS AS address_1, CITY AS city, STATE AS state, {county[table]} AS county, "
        "ZIP AS zip, LAT::DOUBLE AS latitude, LON::DOUBLE AS longitude "
        f"FROM {work.csv(table)}" for table in county)
    work.write("location", addresses)
    work.write("care_site", f"""
        SELECT DISTINCT id_of(Id) AS care_site_id, NAME AS care_site_name,
            id_of(hash({ADDRESS.format(county=county["organizations"])})) AS location_id,
            Id AS care_site_source_value FROM {work.csv("organizations")}""")
    work.write("provider", f"""
        SELECT DISTINCT id_of(Id) AS provider_id, NAME AS provider_name,
            CASE WHEN SPECIALITY = 'GENERAL PRACTICE' THEN 38004446 ELSE 0 END
                AS specialty_concept_id,
            id_of(ORGANIZATION) AS care_site_id,
            CASE GENDER WHEN 'M' THEN 8507 WHEN 'F' THEN 8532 ELSE 0 END AS gender_concept_id,
            Id AS provider_source_value, SPECIALITY AS specialty_source_value,
            GENDER AS gender_source_value FROM {work.csv("providers")}""")


def persons(work):
    work.db.execute(f"CREATE TEMP TABLE patients AS FROM {work.csv('patients')}")
    work.write("person", f"""
        SELECT id_of(Id) AS person_id,
            CASE GENDER WHEN 'M' THEN 8507 WHEN 'F' THEN 8532 ELSE 0 END AS gender_concept_id,
            year(BIRTHDATE::DATE) AS year_of_birth, month(BIRTHDATE::DATE) AS month_of_birth,
            day(BIRTHDATE::DATE) AS day_of_birth, BIRTHDATE::DATE::TIMESTAMP AS birth_datetime,
            CASE RACE WHEN 'white' THEN 8527 WHEN 'black' THEN 8516 WHEN 'asian' THEN 8515
                WHEN 'native' THEN 8657 WHEN 'hawaiian' THEN 8557 ELSE 0 END AS race_concept_id,
            CASE ETHNICITY WHEN 'hispanic' THEN 38003563 WHEN 'nonhispanic' THEN 38003564
                ELSE 0 END AS ethnicity_concept_id,
            id_of(hash({ADDRESS.format(county="COUNTY")})) AS location_id,
            Id AS person_source_value, GENDER AS gender_source_value,
            RACE AS race_source_value, ETHNICITY AS ethnicity_source_value FROM patients""")
    work.write("death", """
        SELECT id_of(Id) AS person_id, DEATHDATE::DATE AS death_date,
            32817 AS death_type_concept_id FROM patients WHERE DEATHDATE IS NOT NULL""")
    work.write("payer_plan_period", f"""
        SELECT DISTINCT id_of(hash(*COLUMNS(t.*))) AS payer_plan_period_id,
            id_of(PATIENT) AS person_id, START_DATE::TIMESTAMP::DATE AS payer_plan_period_start_date,
            END_DATE::TIMESTAMP::DATE AS payer_plan_period_end_date,
            concept_id AS payer_concept_id, p.name AS payer_source_value,
            concept_id AS payer_source_concept_id, PLAN_OWNERSHIP AS sponsor_source_value,
            MEMBERID AS family_source_value
        FROM {work.csv("payer_transitions")} t
        LEFT JOIN (SELECT DISTINCT Id AS payer, NAME AS name FROM {work.csv("payers")}) p ON p.payer = t.PAYER
        LEFT JOIN concepts ON vocabulary_id = 'Payer' AND concept_code = t.PAYER""")


def visits(work):
    work.db.execute(f"""
        CREATE TEMP TABLE encounters AS
        SELECT id_of(hash(*COLUMNS(*))) AS row_id, id_of(Id) AS visit_occurrence_id,
            id_of(PATIENT) AS person_id, id_of(PROVIDER) AS provider_id,
            id_of(ORGANIZATION) AS care_site_id, START::TIMESTAMP AS start, STOP::TIMESTAMP AS finish,
            ENCOUNTERCLASS AS class, CODE AS code, TOTAL_CLAIM_COST::DOUBLE AS total_charge,
            BASE_ENCOUNTER_COST::DOUBLE AS total_cost, PAYER_COVERAGE::DOUBLE AS paid_by_payer
        FROM {work.csv("encounters")}""")
    work.db.execute("CREATE TEMP TABLE visits AS "
                    "SELECT visit_occurrence_id, provider_id FROM encounters")
    work.write("visit_occurrence", """
        SELECT visit_occurrence_id, person_id,
            CASE class WHEN 'inpatient' THEN 9201 WHEN 'emergency' THEN 9203
                WHEN 'ambulatory' THEN 9202 WHEN 'outpatient' THEN 9202 WHEN 'wellness' THEN 9202
                WHEN 'urgentcare' THEN 8782 WHEN 'home' THEN 581476 WHEN 'hospice' THEN 8546
                WHEN 'snf' THEN 42898160 WHEN 'virtual' THEN 5083 ELSE 0 END AS visit_concept_id,
            start::DATE AS visit_start_date, start AS visit_start_datetime,
            coalesce(finish, start)::DATE AS visit_end_date, finish AS visit_end_datetime,
            32817 AS visit_type_concept_id, provider_id, care_site_id,
            class AS visit_source_value, concept_id AS visit_source_concept_id
        FROM encounters LEFT JOIN concepts
            ON vocabulary_id = 'SNOMED' AND concept_code = code""")
    work.write("visit_detail", f"""
        SELECT id_of(Id) AS visit_detail_id, id_of(PATIENTID) AS person_id,
            0 AS visit_detail_concept_id, SERVICEDATE::TIMESTAMP::DATE AS visit_detail_start_date,
            SERVICEDATE::TIMESTAMP AS visit_detail_start_datetime,
            visit_detail_start_date AS visit_detail_end_date,
            visit_detail_start_datetime AS visit_detail_end_datetime,
            32810 AS visit_detail_type_concept_id, id_of(PROVIDERID) AS provider_id,
            concat_ws(' ', 'claim', STATUSP) AS visit_detail_source_value,
            id_of(APPOINTMENTID) AS visit_occurrence_id
        FROM {work.csv("claims")}""")


def staged(work):
    """Events whose rows are used twice, or whose tables have several sources."""
    snomed = "CODE AS code, 'SNOMED' AS vocabulary"
    work.stage("conditions", f"{WHOLE_DAYS}, {snomed}", "conditions")
    work.stage("medications", f"""{INSTANTS}, CODE AS code, 'RxNorm' AS vocabulary,
        greatest(DISPENSES::BIGINT - 1, 0) AS refills, TOTALCOST::DOUBLE AS total_charge,
        BASE_COST::DOUBLE AS total_cost, PAYER_COVERAGE::DOUBLE AS paid_by_payer""", "medications")
    work.stage("immunizations", f"{INSTANT}, CODE AS code, 'CVX' AS vocabulary, "
               "BASE_COST::DOUBLE AS total_cost", "immunizations")
    work.stage("procedures", f"{INSTANTS}, {snomed}, BASE_COST::DOUBLE AS total_cost", "procedures")
    work.stage("careplans", f"{WHOLE_DAYS}, {snomed}", "careplans")
    work.stage("imaging", f"""{INSTANT}, coalesce(PROCEDURE_CODE, MODALITY_CODE) AS code,
        CASE WHEN PROCEDURE_CODE IS NULL THEN 'DICOM' ELSE 'SNOMED' END AS vocabulary,
        concat_ws(', ', MODALITY_DESCRIPTION, BODYSITE_DESCRIPTION) AS modifier""",
               "imaging_studies")
    work.stage("devices", f"START::TIMESTAMP AS start_time, start_time::DATE AS start, {snomed}, "
               "UDI AS udi", "devices")
    work.stage("supplies", f"DATE::DATE AS start, {snomed}, QUANTITY::BIGINT AS quantity", "supplies")
    work.stage("observed", f"""{INSTANT}, CODE AS code, 'LOINC' AS vocabulary, CATEGORY AS category,
        VALUE AS value, UNITS AS units, CASE WHEN TYPE = 'numeric' THEN try_cast(VALUE AS DOUBLE) END
        AS number""", "observations")
    reaction = "DESCRIPTION{0} || coalesce(' (' || SEVERITY{0} || ')', '')"
    work.stage("allergies", f"""{WHOLE_DAYS}, CODE AS code,
        CASE "SYSTEM" WHEN 'SNOMED-CT' THEN 'SNOMED' ELSE "SYSTEM" END AS vocabulary,
        concat_ws(', ', TYPE, CATEGORY) AS qualifier,
        nullif(concat_ws('; ', {reaction.format(1)}, {reaction.format(2)}), '') AS value""",
               "allergies")


def clinical(work):
    work.write("condition_occurrence", """
        SELECT row_id AS condition_occurrence_id, person_id, concept_id AS condition_concept_id,
            start AS condition_start_date, finish AS condition_end_date,
            32817 AS condition_type_concept_id, provider_id, visit_id AS visit_occurrence_id,
            code AS condition_source_value, concept_id AS condition_source_concept_id
        FROM conditions""")
    drug = """SELECT row_id AS drug_exposure_id, person_id, concept_id AS drug_concept_id,
        start AS drug_exposure_start_date, start_time AS drug_exposure_start_datetime,
        {finish} AS drug_exposure_end_date, {end_time} AS drug_exposure_end_datetime,
        {verbatim} AS verbatim_end_date, 32817 AS drug_type_concept_id, {refills} AS refills,
        provider_id, visit_id AS visit_occurrence_id, code AS drug_source_value,
        concept_id AS drug_source_concept_id FROM {table}"""
    work.write("drug_exposure", " UNION ALL ".join((
        drug.format(finish="finish", end_time="end_time", verbatim="finish", refills="refills",
                    table="medications"),
        drug.format(finish="start", end_time="start_time", verbatim="NULL::DATE",
                    refills="NULL::BIGINT", table="immunizations"))))
    procedure = """SELECT row_id AS procedure_occurrence_id, person_id,
        concept_id AS procedure_concept_id, start AS procedure_date,
        {start_time} AS procedure_datetime, {finish} AS procedure_end_date,
        {end_time} AS procedure_end_datetime, 32817 AS procedure_type_concept_id, provider_id,
        visit_id AS visit_occurrence_id, code AS procedure_source_value,
        concept_id AS procedure_source_concept_id, {modifier} AS modifier_source_value
        FROM {table}"""
    work.write("procedure_occurrence", " UNION ALL ".join((
        procedure.format(start_time="start_time", finish="finish", end_time="end_time",
                         modifier="NULL::VARCHAR", table="procedures"),
        procedure.format(start_time=NO_TIME, finish="finish", end_time=NO_TIME,
                         modifier="'care plan'", table="careplans"),
        procedure.format(start_time="start_time", finish="NULL::DATE", end_time=NO_TIME,
                         modifier="modifier", table="imaging"))))
    device = """SELECT row_id AS device_exposure_id, person_id, concept_id AS device_concept_id,
        start AS device_exposure_start_date, {time} AS device_exposure_start_datetime,
        32817 AS device_type_concept_id, {udi} AS unique_device_id, {quantity} AS quantity,
        provider_id, visit_id AS visit_occurrence_id, code AS device_source_value,
        concept_id AS device_source_concept_id FROM {table}"""
    work.write("device_exposure", " UNION ALL ".join((
        device.format(time="start_time", udi="udi", quantity="NULL::BIGINT", table="devices"),
        device.format(time=NO_TIME, udi="NULL::VARCHAR", quantity="quantity", table="supplies"))))
    measured = "(number IS NOT NULL OR coalesce(category IN ('vital-signs', 'laboratory'), false))"
    work.write("measurement", f"""
        SELECT row_id AS measurement_id, person_id, concept_id AS measurement_concept_id,
            start AS measurement_date, start_time AS measurement_datetime,
            32817 AS measurement_type_concept_id, number AS value_as_number, provider_id,
            visit_id AS visit_occurrence_id, code AS measurement_source_value,
            concept_id AS measurement_source_concept_id, units AS unit_source_value,
            value AS value_source_value FROM observed WHERE {measured}""")
    observation = """SELECT row_id AS observation_id, person_id,
        concept_id AS observation_concept_id, start AS observation_date,
        {time} AS observation_datetime, 32817 AS observation_type_concept_id,
        value AS value_as_string, provider_id, visit_id AS visit_occurrence_id,
        code AS observation_source_value, concept_id AS observation_source_concept_id,
        {qualifier} AS qualifier_source_value, value AS value_source_value FROM {table}"""
    work.write("observation", " UNION ALL ".join((
        observation.format(time="start_time", qualifier="category", table="observed")
        + f" WHERE NOT {measured}",
        observation.format(time=NO_TIME, qualifier="qualifier", table="allergies"))))


def costs(work):
    own = """SELECT row_id AS cost_id, person_id, {event} AS cost_event_id,
        '{domain}' AS cost_domain_id, 32817 AS cost_type_concept_id,
        44818668 AS currency_concept_id, {charge} AS total_charge, {cost} AS total_cost,
        NULL::DOUBLE AS total_paid, {payer} AS paid_by_payer, NULL::DOUBLE AS paid_by_patient,
        NULL::DOUBLE AS paid_patient_copay, NULL::DOUBLE AS amount_allowed,
        NULL::VARCHAR AS revenue_code_source_value, NULL::VARCHAR AS drg_source_value
        FROM {table}"""
    event = {"event": "row_id", "cost": "total_cost"}
    more = {"charge": "total_charge", "payer": "paid_by_payer"}
    none = {"charge": "NULL::DOUBLE", "payer": "NULL::DOUBLE"}
    transactions = f"""
        SELECT id_of(ID), id_of(PATIENTID), id_of(CLAIMID), 'Visit Detail', 32810, 44818668,
            CASE WHEN TYPE = 'CHARGE' THEN AMOUNT::DOUBLE END, NULL, PAYMENTS::DOUBLE,
            CASE WHEN METHOD = 'ECHECK' THEN PAYMENTS::DOUBLE END,
            CASE WHEN METHOD IS DISTINCT FROM 'ECHECK' THEN PAYMENTS::DOUBLE END,
            CASE WHEN METHOD = 'COPAY' THEN PAYMENTS::DOUBLE END, TRANSFERS::DOUBLE,
            concat_ws(':', TYPE, CASE WHEN TYPE = 'PAYMENT' THEN METHOD ELSE TRANSFERTYPE END),
            PROCEDURECODE FROM {work.csv("claims_transactions")}"""
    work.write("cost", " UNION ALL ".join((
        own.format(event="visit_occurrence_id", domain="Visit", cost="total_cost",
                   table="encounters", **more),
        own.format(domain="Drug", table="medications", **event, **more),
        own.format(domain="Drug", table="immunizations", **event, **none),
        own.format(domain="Procedure", table="procedures", **event, **none),
        transactions)))


def periods_and_eras(work, supply="NULL"):
    """Occurrences of one concept whose gaps are at most 30 days become one. Equal
    days are told apart by id, so that both windows have one order."""
    eras = """
        WITH spans AS (SELECT person_id, {concept} AS concept, {start} AS start, {id} AS id,
            greatest({start}, coalesce({finish}, {start} + CASE WHEN {supply} > 0 THEN
                {supply}::INTEGER END, {start} + 1)) AS finish FROM {table} WHERE {concept} <> 0),
        marked AS (SELECT *, start - max(finish) OVER (PARTITION BY person_id, concept
            ORDER BY start, finish, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS gap
            FROM spans),
        numbered AS (SELECT *, sum(CASE WHEN gap <= 30 THEN 0 ELSE 1 END) OVER (
            PARTITION BY person_id, concept ORDER BY start, finish, id ROWS UNBOUNDED PRECEDING)
            AS era FROM marked)
        SELECT (hash(person_id, concept, min(start)) >> 1)::BIGINT AS {kind}_era_id, person_id,
            concept AS {kind}_concept_id, min(start) AS {kind}_era_start_date,
            max(finish) AS {kind}_era_end_date, count(*) AS {counted}{more}
        FROM numbered GROUP BY person_id, concept, era"""
    work.write("condition_era", eras.format(
        kind="condition", concept="condition_concept_id", id="condition_occurrence_id",
        start="condition_start_date",
        finish="condition_end_date", table=work.written("condition_occurrence"), supply="NULL",
        counted="condition_occurrence_count", more=""))
    work.write("drug_era", eras.format(
        kind="drug", concept="drug_concept_id", id="drug_exposure_id",
        start="drug_exposure_start_date",
        finish="drug_exposure_end_date", table=work.written("drug_exposure"), supply=supply,
        counted="drug_exposure_count",
        more=", sum(CASE WHEN gap BETWEEN 1 AND 30 THEN gap ELSE 0 END)::BIGINT AS gap_days"))


def observed(work):
    """From the first day of a person's records to the last."""
    spans = " UNION ALL ".join(
        f"SELECT person_id, min({start}) AS start, greatest(max({start}), max({finish})) AS finish "
        f"FROM {work.written(table)} GROUP BY person_id"
        for table, (start, finish) in DAYS.items())
    work.write("observation_period", f"""
        SELECT (hash(person_id, min(start)) >> 1)::BIGINT AS observation_period_id, person_id,
            min(start) AS observation_period_start_date, max(finish) AS observation_period_end_date,
            32880 AS period_type_concept_id FROM ({spans}) GROUP BY person_id""")


def omop(folder, out):
    work = Work(folder, out)
    for path in sorted(work.source.glob("*.parquet")):
        work.write(path.stem, f"SELECT * FROM '{path}'")
    periods_and_eras(work, supply="days_supply")


def job(records, out):
    work = Work(records, out)
    for table in TABLES:
        work.db.execute(f"CREATE VIEW {table} AS FROM '{work.source}/tables/{table}/*.parquet'")
    work.db.execute(f"CREATE VIEW concept AS FROM '{work.source}/vocabulary/concept.parquet'")
    work.db.execute(COHORTS)
    work.write("cohort", "FROM cohort")
    work.write("incidence", INCIDENCE)


if __name__ == "__main__":
    {"synthea": synthea, "omop": omop, "job": job}[sys.argv[1]](*sys.argv[2:])
    print(time.monotonic() - BEGAN)
