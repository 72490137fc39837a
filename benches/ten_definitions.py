"""Ten definitions of the reference as SQL, written by hand for DuckDB.

Each query gives (person_id, start, finish) of one definition of
`reference/circe/cohorts`; `CODESETS` comes first, resolves the definition's
concept sets and is part of its time. They are as short as the definitions
allow: no statistics, no intermediate tables but the concept sets.
"""

# The concepts of every set of a definition, from `items` (one row an item).
CODESETS = """
CREATE OR REPLACE TEMP TABLE codesets AS
WITH mine AS (SELECT * FROM items WHERE definition = $definition),
found AS (
    SELECT set, excluded, c.concept_id FROM mine JOIN concept c ON c.concept_id = mine.concept
    UNION
    SELECT set, excluded, c.concept_id FROM mine
    JOIN concept_ancestor a ON a.ancestor_concept_id = mine.concept
    JOIN concept c ON c.concept_id = a.descendant_concept_id AND c.invalid_reason IS NULL
    WHERE descendants)
SELECT set, concept_id FROM found WHERE NOT excluded
EXCEPT SELECT set, concept_id FROM found WHERE excluded
"""


def conditions(codeset):
    return f"""
    SELECT person_id, condition_occurrence_id AS id, condition_start_date AS start,
        coalesce(condition_end_date, condition_start_date + 1) AS finish
    FROM condition_occurrence
    WHERE condition_concept_id IN (SELECT concept_id FROM codesets WHERE set = {codeset})"""


def drugs(codeset):
    return f"""
    SELECT person_id, drug_exposure_id AS id, drug_exposure_start_date AS start,
        coalesce(drug_exposure_end_date,
            drug_exposure_start_date + coalesce(days_supply, 1)::INTEGER) AS finish
    FROM drug_exposure
    WHERE drug_concept_id IN (SELECT concept_id FROM codesets WHERE set = {codeset})"""


def observations(codeset):
    return f"""
    SELECT person_id, observation_id AS id, observation_date AS start, observation_date + 1 AS finish
    FROM observation
    WHERE observation_concept_id IN (SELECT concept_id FROM codesets WHERE set = {codeset})"""


# Entry events in the observation periods around them; `entries` reads `events`.
ENTRIES = """
entries AS (
    SELECT e.*, p.observation_period_start_date AS observed_from,
        p.observation_period_end_date AS observed_to
    FROM events e JOIN observation_period p ON p.person_id = e.person_id
        AND e.start BETWEEN p.observation_period_start_date AND p.observation_period_end_date)"""

FIRST_ENTRY = """
    SELECT * FROM entries
    QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY start, id) = 1"""


def joined(rows, pad_days=0):
    """Rows (person_id, start, finish) that overlap once padded, joined."""
    return f"""
    SELECT person_id, min(start) AS start, max(finish) AS finish FROM (
        SELECT *, sum(is_new) OVER (PARTITION BY person_id ORDER BY start, finish DESC
            ROWS UNBOUNDED PRECEDING) AS era FROM (
            SELECT *, CASE WHEN start <= max(finish + {pad_days}) OVER (PARTITION BY person_id
                ORDER BY start, finish DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                THEN 0 ELSE 1 END AS is_new
            FROM ({rows}))) GROUP BY person_id, era"""


TO_END_OF_OBSERVATION = "SELECT person_id, start, observed_to AS finish FROM chosen"


def after_end(days):
    return f"""
        SELECT person_id, start, least(finish + {days}, observed_to) AS finish FROM chosen
        WHERE least(finish + {days}, observed_to) >= start"""


SQL = {
    # A first exposure, to the end of observation.
    762: f"WITH events AS ({drugs(0)}), {ENTRIES}, chosen AS ({FIRST_ENTRY}) {TO_END_OF_OBSERVATION}",
    # The first condition ever.
    893: f"""WITH events AS (SELECT * FROM ({conditions(0)})
            QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY start, id) = 1),
        {ENTRIES}, chosen AS ({FIRST_ENTRY}) {TO_END_OF_OBSERVATION}""",
    # The first condition ever, after a year of observation.
    825: f"""WITH events AS (SELECT * FROM ({conditions(4)})
            QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY start, id) = 1),
        {ENTRIES}, chosen AS (SELECT * FROM ({FIRST_ENTRY}) WHERE observed_from + 365 <= start)
        {TO_END_OF_OBSERVATION}""",
    # Every condition, each for 30 days more.
    405: f"WITH events AS ({conditions(3)}), {ENTRIES}, chosen AS (FROM entries) {joined(after_end(30))}",
    1264: f"WITH events AS ({conditions(2)}), {ENTRIES}, chosen AS (FROM entries) {joined(after_end(30))}",
    # ... joined over gaps of a year.
    1349: f"""WITH events AS ({conditions(2)}), {ENTRIES}, chosen AS (FROM entries)
        {joined(after_end(30), 365)}""",
    # Conditions and observations.
    9: f"""WITH events AS ({conditions(3)} UNION ALL {observations(3)}), {ENTRIES},
        chosen AS (FROM entries) {joined(after_end(14))}""",
    # The first procedure, by concept or source concept, of an adult.
    1291: f"""WITH events AS (
            SELECT person_id, procedure_occurrence_id AS id, procedure_date AS start,
                procedure_date + 1 AS finish FROM procedure_occurrence
            WHERE procedure_concept_id IN (SELECT concept_id FROM codesets WHERE set = 85)
                OR procedure_source_concept_id IN (SELECT concept_id FROM codesets WHERE set = 85)),
        {ENTRIES}, chosen AS (
            SELECT f.* FROM ({FIRST_ENTRY}) f JOIN person USING (person_id)
            WHERE year(start) - year_of_birth >= 18)
        {TO_END_OF_OBSERVATION}""",
    # Conditions without one like it in the 30 days before.
    1159: f"""WITH events AS ({conditions(4)}), {ENTRIES}, chosen AS (
            SELECT * FROM entries e WHERE NOT EXISTS (
                SELECT 1 FROM events b WHERE b.person_id = e.person_id
                AND b.start BETWEEN e.start - 30 AND e.start - 1
                AND b.start BETWEEN e.observed_from AND e.observed_to))
        {joined(after_end(1), 1)}""",
    # A condition, or another with a third on the same day.
    1283: f"""WITH events AS ({conditions(0)} UNION ALL
            SELECT DISTINCT a.* FROM ({conditions(1)}) a
            JOIN ({conditions(2)}) b ON b.person_id = a.person_id AND b.start = a.start
            JOIN observation_period p ON p.person_id = a.person_id
                AND a.start BETWEEN p.observation_period_start_date AND p.observation_period_end_date),
        {ENTRIES}, chosen AS (FROM entries) {joined(after_end(14))}""",
}
