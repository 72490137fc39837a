"""`pipelines/diabetes-outcomes.toml` as SQL, written by hand for DuckDB: its
four cohorts, and the table of its incidence analysis.

As short as the job allows. Each of its cohorts has a person once at most, up to
the end of observation, so that what comes after an outcome is all time that is
not at risk, and nothing has to be joined. Intervals of the rate are left out:
DuckDB has no gamma quantile.
"""

TABLES = ("person", "observation_period", "condition_occurrence")

COHORTS = """
CREATE TEMP TABLE cohort AS
WITH sets(cohort, vocabulary_id, concept_code) AS (VALUES
    (1, 'SNOMED', '44054006'),
    (2, 'SNOMED', '84114007'), (2, 'SNOMED', '88805009'),
    (3, 'SNOMED', '230690007'),
    (4, 'SNOMED', '59621000'), (4, 'SNOMED', '38341003')),
concepts AS (
    SELECT cohort, concept_id FROM sets JOIN concept USING (vocabulary_id, concept_code)),
-- The first of each kind in an observation period, one row a person.
firsts AS (
    SELECT e.person_id, any_value(p.observation_period_end_date) AS finish,
        min(e.condition_start_date) FILTER (cohort = 1) AS diabetes,
        min(e.condition_start_date) FILTER (cohort = 2) AS failure,
        min(e.condition_start_date) FILTER (cohort = 3) AS stroke,
        min(e.condition_start_date) FILTER (cohort = 4) AS hypertension
    FROM condition_occurrence e
    JOIN concepts ON concepts.concept_id = e.condition_concept_id
    JOIN observation_period p ON p.person_id = e.person_id AND e.condition_start_date
        BETWEEN p.observation_period_start_date AND p.observation_period_end_date
    GROUP BY e.person_id, p.observation_period_id),
entries AS (
    SELECT 1 AS cohort, * FROM firsts WHERE diabetes IS NOT NULL
    UNION ALL SELECT 4, * FROM firsts WHERE hypertension IS NOT NULL),
targets AS (
    SELECT e.*, CASE cohort WHEN 1 THEN diabetes ELSE hypertension END AS start FROM entries e)
SELECT cohort AS cohort_definition_id, person_id AS subject_id, start AS cohort_start_date,
    finish AS cohort_end_date
FROM targets JOIN person USING (person_id)
WHERE year(start) - year_of_birth >= 18
    AND coalesce(failure > start, true) AND coalesce(stroke > start, true)
UNION ALL SELECT 2, person_id, failure, finish FROM firsts WHERE failure IS NOT NULL
UNION ALL SELECT 3, person_id, stroke, finish FROM firsts WHERE stroke IS NOT NULL
"""

# Time at risk is the day after entry to the end; an outcome's start ends it.
INCIDENCE = """
WITH at_risk AS (
    SELECT cohort_definition_id AS target, subject_id, cohort_start_date + 1 AS start,
        cohort_end_date AS finish
    FROM cohort WHERE cohort_definition_id IN (1, 4) AND cohort_start_date < cohort_end_date),
times AS (
    SELECT a.target, o.id AS outcome, a.subject_id,
        finish - start + 1 AS days_pe,
        CASE WHEN c.cohort_start_date IS NULL THEN finish - start + 1
            ELSE greatest(0, least(finish, c.cohort_start_date) - start + 1) END AS days,
        coalesce(c.cohort_start_date BETWEEN start AND finish, false) AS has_outcome,
        p.gender_concept_id AS gender, year(start) AS start_year,
        CASE WHEN year(start) - year_of_birth < 45 THEN 1
            WHEN year(start) - year_of_birth < 65 THEN 2
            WHEN year(start) - year_of_birth < 80 THEN 3 ELSE 4 END AS age_group
    FROM at_risk a CROSS JOIN (VALUES (2), (3)) o(id)
    JOIN person p ON p.person_id = a.subject_id
    LEFT JOIN cohort c ON c.cohort_definition_id = o.id AND c.subject_id = a.subject_id),
counts AS (
    SELECT target, outcome, age_group, gender, start_year,
        count(*) AS n_pe, count(*) FILTER (days > 0) AS n,
        count(*) FILTER (has_outcome) AS k_pe, count(*) FILTER (has_outcome AND days > 0) AS k,
        sum(days_pe)::BIGINT AS days_pe, sum(days)::BIGINT AS days
    FROM times GROUP BY target, outcome, CUBE (age_group, gender, start_year))
SELECT target AS target_cohort_definition_id, 1 AS tar_id, 0 AS subgroup_id, outcome AS outcome_id,
    age_group AS age_group_id, gender AS gender_id, start_year,
    CASE age_group WHEN 1 THEN '<45' WHEN 2 THEN '45-64' WHEN 3 THEN '65-79' WHEN 4 THEN '>=80' END
        AS age_group,
    n_pe AS persons_at_risk_pe, n AS persons_at_risk, k_pe AS person_outcomes_pe,
    k AS person_outcomes, k_pe AS outcomes_pe, k AS outcomes, days_pe AS person_days_pe,
    days AS person_days, days / 365.25 AS person_years,
    100 * k / nullif(n, 0) AS incidence_proportion_p100p,
    -- Wilson's score interval.
    100 * (k + z * z / 2 - z * sqrt(k * (n - k) / nullif(n, 0) + z * z / 4)) / (n + z * z)
        AS incidence_proportion_p100p_lower,
    100 * (k + z * z / 2 + z * sqrt(k * (n - k) / nullif(n, 0) + z * z / 4)) / (n + z * z)
        AS incidence_proportion_p100p_upper,
    100 * k / nullif(days / 365.25, 0) AS incidence_rate_p100py
FROM counts, (VALUES (1.959963984540054::DOUBLE)) q(z)
"""
