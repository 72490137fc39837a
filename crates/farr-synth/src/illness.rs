//! Illnesses and injuries that come and go: how common, how treated.

use crate::codes::*;
use crate::model::EncounterClass::{self, Ambulatory, Emergency, Outpatient, UrgentCare};

/// An illness or injury that ends.
#[derive(Debug)]
pub(crate) struct Illness {
    pub(crate) code: Code,
    /// New cases per 1,000 person-years at ages 0-17, 18-44, 45-64, 65 up.
    pub(crate) per_1000: [f64; 4],
    /// Shortest and longest course in days.
    pub(crate) days: (i32, i32),
    pub(crate) class: EncounterClass,
    /// One of them is given.
    pub(crate) drugs: &'static [&'static Code],
    /// Each is done.
    pub(crate) procedures: &'static [&'static Code],
    /// One case in three has these measured.
    pub(crate) panel: &'static [&'static Measure],
    /// Share admitted to hospital; twice that from 65 up.
    pub(crate) admitted: f64,
    pub(crate) careplan: Option<&'static Code>,
    pub(crate) women_only: bool,
}

const fn illness(
    code: &'static str,
    name: &'static str,
    per_1000: [f64; 4],
    days: (i32, i32),
    class: EncounterClass,
    drugs: &'static [&'static Code],
) -> Illness {
    Illness {
        code: condition(code, name),
        per_1000,
        days,
        class,
        drugs,
        procedures: &[],
        panel: &[],
        admitted: 0.0,
        careplan: None,
        women_only: false,
    }
}

impl Illness {
    const fn with(
        mut self,
        procedures: &'static [&'static Code],
        panel: &'static [&'static Measure],
        admitted: f64,
    ) -> Self {
        self.procedures = procedures;
        self.panel = panel;
        self.admitted = admitted;
        self
    }

    const fn women(mut self) -> Self {
        self.women_only = true;
        self
    }

    const fn plan(mut self, careplan: &'static Code) -> Self {
        self.careplan = Some(careplan);
        self
    }
}

static PAINKILLERS: &[&Code] =
    &[&ACETAMINOPHEN_325, &ACETAMINOPHEN_500, &IBUPROFEN_200, &NAPROXEN_220];
static CHILD_FEVER: &[&Code] = &[&ACETAMINOPHEN_160, &IBUPROFEN_100, &ACETAMINOPHEN_325];
static STRONG_PAINKILLERS: &[&Code] =
    &[&HYDROCODONE_5, &OXYCODONE_5, &HYDROCODONE_75, &NAPROXEN_500, &CODEINE, &TRAMADOL];
static ANTIBIOTICS: &[&Code] = &[
    &AMOXICILLIN_250,
    &AMOXICILLIN_500,
    &AMOXICILLIN_CLAVULANATE,
    &AZITHROMYCIN_TABLET,
    &CEFUROXIME,
    &CEFACLOR,
    &DOXYCYCLINE_50,
];
static THROAT_ANTIBIOTICS: &[&Code] =
    &[&PENICILLIN_V_250, &PENICILLIN_V_500, &AMOXICILLIN_500, &CEFDINIR];
static URINE_ANTIBIOTICS: &[&Code] =
    &[&NITROFURANTOIN_CAPSULE, &NITROFURANTOIN_SUSPENSION, &PHENAZOPYRIDINE, &AMOXICILLIN_250];
static LUNG_ANTIBIOTICS: &[&Code] =
    &[&AZITHROMYCIN_CAPSULE, &DOXYCYCLINE_100, &AMOXICILLIN_CLAVULANATE, &CEFUROXIME];
static COLD_DRUGS: &[&Code] = &[&DEXTROMETHORPHAN, &ACETAMINOPHEN_325];
static SKIN_DRUGS: &[&Code] = &[&HYDROCORTISONE, &DIPHENHYDRAMINE];
static STOMACH_DRUGS: &[&Code] = &[&SODIUM_CHLORIDE, &ONDANSETRON];
static NONE: &[&Code] = &[];

/// Illnesses that end.
pub(crate) static ACUTE: &[Illness] = &[
    illness(
        "195662009",
        "Viral sore throat",
        [70.0, 30.0, 20.0, 10.0],
        (7, 14),
        Ambulatory,
        COLD_DRUGS,
    ),
    illness("444814009", "Viral sinusitis", [60.0, 60.0, 50.0, 30.0], (7, 21), Ambulatory, NONE),
    illness(
        "10509002",
        "Acute bronchitis",
        [35.0, 25.0, 30.0, 35.0],
        (7, 21),
        Ambulatory,
        COLD_DRUGS,
    )
    .plan(&RESPIRATORY_THERAPY),
    illness(
        "75498004",
        "Bacterial sinusitis",
        [8.0, 8.0, 8.0, 5.0],
        (7, 28),
        Ambulatory,
        ANTIBIOTICS,
    ),
    illness("36971009", "Sinusitis", [6.0, 7.0, 7.0, 5.0], (7, 28), UrgentCare, ANTIBIOTICS),
    illness(
        "65363002",
        "Middle ear infection",
        [90.0, 3.0, 2.0, 1.0],
        (5, 20),
        Ambulatory,
        THROAT_ANTIBIOTICS,
    ),
    illness(
        "43878008",
        "Strep throat",
        [25.0, 6.0, 3.0, 1.0],
        (5, 12),
        Ambulatory,
        THROAT_ANTIBIOTICS,
    )
    .with(&[&THROAT_CULTURE], &[&ORAL_TEMPERATURE], 0.0),
    illness(
        "17741008",
        "Acute tonsillitis",
        [15.0, 4.0, 1.0, 0.5],
        (5, 12),
        UrgentCare,
        THROAT_ANTIBIOTICS,
    ),
    illness(
        "363746003",
        "Acute sore throat",
        [20.0, 10.0, 6.0, 4.0],
        (4, 10),
        UrgentCare,
        PAINKILLERS,
    ),
    illness(
        "54150009",
        "Upper respiratory infection",
        [50.0, 25.0, 20.0, 15.0],
        (5, 14),
        UrgentCare,
        COLD_DRUGS,
    ),
    illness("6142004", "Influenza", [30.0, 18.0, 15.0, 15.0], (5, 14), UrgentCare, CHILD_FEVER)
        .with(&[], &[&ORAL_TEMPERATURE], 0.02),
    illness("233604007", "Pneumonia", [4.0, 2.5, 7.0, 24.0], (10, 35), Emergency, LUNG_ANTIBIOTICS)
        .with(&[&CHEST_XRAY, &SPUTUM_CULTURE], BLOOD_PANEL, 0.3),
    illness("840539006", "COVID-19", [4.0, 9.0, 10.0, 12.0], (7, 28), Ambulatory, PAINKILLERS)
        .with(
            &[],
            &[
                &ORAL_TEMPERATURE,
                &PULSE_OXIMETRY,
                &C_REACTIVE_PROTEIN,
                &FERRITIN,
                &D_DIMER,
                &LACTATE,
            ],
            0.07,
        )
        .plan(&INFECTION_PLAN),
    illness("840544004", "Suspected COVID-19", [4.0, 7.0, 7.0, 7.0], (1, 7), Ambulatory, NONE)
        .with(&[], &[&ORAL_TEMPERATURE, &PULSE_OXIMETRY], 0.0),
    illness(
        "38822007",
        "Cystitis",
        [4.0, 22.0, 16.0, 25.0],
        (5, 14),
        Ambulatory,
        URINE_ANTIBIOTICS,
    )
    .with(&[&URINE_CULTURE], URINE_PANEL, 0.0)
    .plan(&URINARY_INFECTION_CARE),
    illness(
        "301011002",
        "Urinary tract infection with E. coli",
        [2.0, 8.0, 7.0, 16.0],
        (5, 14),
        UrgentCare,
        URINE_ANTIBIOTICS,
    )
    .with(&[&URINE_CULTURE], URINE_PANEL, 0.02),
    illness(
        "68566005",
        "Urinary tract infection",
        [3.0, 6.0, 6.0, 14.0],
        (5, 14),
        Ambulatory,
        URINE_ANTIBIOTICS,
    )
    .with(&[], URINE_PANEL, 0.01),
    illness(
        "197927001",
        "Recurrent urinary tract infection",
        [0.5, 2.5, 3.0, 7.0],
        (7, 21),
        Ambulatory,
        URINE_ANTIBIOTICS,
    )
    .with(&[&URINE_CULTURE], URINE_PANEL, 0.0),
    illness(
        "45816000",
        "Kidney infection",
        [0.6, 1.8, 1.5, 3.0],
        (10, 21),
        Emergency,
        &[&CIPROFLOXACIN, &CEFOTAXIME],
    )
    .with(&[&INTRAVENOUS_ANTIBIOTICS, &URINE_CULTURE], HOSPITAL_PANEL, 0.35),
    illness(
        "25374005",
        "Gastroenteritis",
        [30.0, 15.0, 10.0, 12.0],
        (2, 10),
        UrgentCare,
        STOMACH_DRUGS,
    ),
    illness("409966000", "Acute diarrhea", [12.0, 5.0, 5.0, 7.0], (2, 8), Ambulatory, NONE),
    illness("14760008", "Constipation", [6.0, 4.0, 5.0, 14.0], (7, 40), Ambulatory, NONE),
    illness("422587007", "Nausea", [3.0, 5.0, 4.0, 5.0], (1, 6), Ambulatory, &[&ONDANSETRON]),
    illness("249497008", "Vomiting", [6.0, 3.0, 2.0, 3.0], (1, 5), UrgentCare, &[&ONDANSETRON]),
    illness("21522001", "Abdominal pain", [9.0, 12.0, 10.0, 11.0], (1, 10), Emergency, PAINKILLERS)
        .with(&[], HOSPITAL_PANEL, 0.03),
    illness("29857009", "Chest pain", [1.0, 6.0, 14.0, 20.0], (1, 5), Emergency, &[&ASPIRIN_325])
        .with(&[&ELECTROCARDIOGRAM], &[&TROPONIN, &CREATINE_KINASE, &HEART_RATE], 0.12),
    illness("25064002", "Headache", [8.0, 12.0, 9.0, 7.0], (1, 10), Ambulatory, PAINKILLERS),
    illness("404640003", "Dizziness", [2.0, 6.0, 9.0, 16.0], (1, 20), Ambulatory, NONE),
    illness("271594007", "Fainting", [1.5, 2.5, 3.0, 8.0], (1, 2), Emergency, NONE).with(
        &[&ELECTROCARDIOGRAM],
        HOSPITAL_PANEL,
        0.1,
    ),
    illness("161891005", "Back pain", [3.0, 26.0, 34.0, 32.0], (7, 60), Ambulatory, PAINKILLERS)
        .plan(&MUSCULOSKELETAL_CARE),
    illness("23056005", "Sciatica", [0.2, 5.0, 9.0, 8.0], (14, 90), Ambulatory, STRONG_PAINKILLERS)
        .with(&[&PHYSICAL_THERAPY], &[&PAIN], 0.0),
    illness("57676002", "Joint pain", [3.0, 10.0, 18.0, 24.0], (7, 60), Ambulatory, PAINKILLERS),
    illness("68962001", "Muscle pain", [2.0, 6.0, 8.0, 7.0], (3, 21), Ambulatory, PAINKILLERS),
    illness("84229001", "Fatigue", [2.0, 9.0, 11.0, 13.0], (7, 60), Ambulatory, NONE).with(
        &[],
        BLOOD_PANEL,
        0.0,
    ),
    illness("386661006", "Fever", [28.0, 5.0, 4.0, 6.0], (1, 5), UrgentCare, CHILD_FEVER).with(
        &[],
        &[&ORAL_TEMPERATURE],
        0.0,
    ),
    illness("49727002", "Cough", [22.0, 11.0, 12.0, 14.0], (5, 21), Ambulatory, COLD_DRUGS),
    illness("267102003", "Sore throat", [12.0, 7.0, 4.0, 3.0], (3, 8), Ambulatory, PAINKILLERS),
    illness("68235000", "Nasal congestion", [9.0, 5.0, 4.0, 4.0], (3, 14), Ambulatory, NONE),
    illness("36955009", "Loss of taste", [0.4, 1.5, 1.5, 1.0], (7, 60), Ambulatory, NONE),
    illness("43724002", "Chills", [1.5, 1.5, 1.2, 1.5], (1, 4), UrgentCare, PAINKILLERS),
    illness("9826008", "Conjunctivitis", [25.0, 6.0, 5.0, 6.0], (4, 14), UrgentCare, NONE),
    illness(
        "128045006",
        "Cellulitis",
        [3.0, 5.0, 7.0, 11.0],
        (7, 21),
        UrgentCare,
        &[&DOXYCYCLINE_100, &CEFDINIR],
    )
    .with(&[], BLOOD_PANEL, 0.1),
    illness("76844004", "Infected wound", [1.5, 1.5, 1.6, 2.2], (7, 21), UrgentCare, ANTIBIOTICS)
        .plan(&WOUND_CARE),
    illness("4740000", "Shingles", [0.5, 2.0, 5.5, 10.0], (10, 40), Ambulatory, PAINKILLERS),
    illness("38907003", "Chickenpox", [4.0, 0.3, 0.1, 0.0], (7, 14), Ambulatory, CHILD_FEVER),
    illness("78048006", "Candida infection", [4.0, 8.0, 4.0, 4.0], (5, 14), Ambulatory, NONE),
    illness(
        "40275004",
        "Contact dermatitis",
        [12.0, 10.0, 9.0, 9.0],
        (7, 28),
        Ambulatory,
        SKIN_DRUGS,
    )
    .plan(&SKIN_CARE),
    illness(
        "241929008",
        "Acute allergic reaction",
        [6.0, 4.0, 3.0, 2.0],
        (1, 3),
        Emergency,
        &[&EPINEPHRINE_PEN, &DIPHENHYDRAMINE, &EPINEPHRINE_INJECTION],
    )
    .with(&[], &[&HEART_RATE, &PULSE_OXIMETRY], 0.03),
    illness(
        "95570007",
        "Kidney stone",
        [0.3, 3.0, 5.0, 5.0],
        (3, 30),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&INTRAVENOUS_FLUIDS], URINE_PANEL, 0.12),
    illness(
        "74400008",
        "Appendicitis",
        [1.6, 1.3, 0.7, 0.5],
        (2, 10),
        Emergency,
        &[&MORPHINE, &OXYCODONE_5],
    )
    .with(&[&APPENDECTOMY], BLOOD_PANEL, 1.0),
    illness(
        "47693006",
        "Burst appendix",
        [0.4, 0.3, 0.25, 0.3],
        (5, 21),
        Emergency,
        &[&PIPERACILLIN_2000, &MORPHINE],
    )
    .with(&[&APPENDECTOMY, &INTRAVENOUS_ANTIBIOTICS], BLOOD_PANEL, 1.0),
    illness("235919008", "Gallstones", [0.1, 3.0, 5.5, 7.0], (10, 90), Ambulatory, PAINKILLERS)
        .with(&[], LIVER_PANEL, 0.0),
    illness(
        "65275009",
        "Acute inflammation of gallbladder",
        [0.05, 1.0, 1.8, 3.0],
        (3, 14),
        Emergency,
        &[&PIPERACILLIN_4000, &MORPHINE],
    )
    .with(&[&CHOLECYSTECTOMY_LAPAROSCOPIC, &CHOLECYSTECTOMY], LIVER_PANEL, 0.9),
    illness(
        "197456007",
        "Acute pancreatitis",
        [0.05, 0.6, 1.1, 1.3],
        (5, 21),
        Emergency,
        &[&MORPHINE],
    )
    .with(&[&INTRAVENOUS_FLUIDS], LIVER_PANEL, 0.8),
    illness(
        "307496006",
        "Diverticulitis",
        [0.0, 1.0, 4.0, 7.0],
        (7, 21),
        Emergency,
        &[&CIPROFLOXACIN],
    )
    .with(&[], BLOOD_PANEL, 0.2),
    illness(
        "74474003",
        "Bleeding of stomach or bowel",
        [0.1, 0.6, 1.6, 5.5],
        (2, 14),
        Emergency,
        &[&FERROUS_SULFATE],
    )
    .with(&[&BLOOD_TRANSFUSION, &COLONOSCOPY], IRON_PANEL, 0.45),
    illness("4556007", "Gastritis", [2.0, 6.0, 7.0, 8.0], (7, 40), Ambulatory, NONE),
    illness("397825006", "Stomach ulcer", [0.1, 1.0, 2.2, 4.0], (20, 80), Ambulatory, NONE).with(
        &[],
        BLOOD_PANEL,
        0.06,
    ),
    illness("36118008", "Collapsed lung", [0.1, 0.25, 0.25, 0.6], (3, 20), Emergency, &[&MORPHINE])
        .with(&[&CHEST_XRAY, &THORACENTESIS], GAS_PANEL, 0.7),
    illness(
        "266257000",
        "Transient ischemic attack",
        [0.0, 0.15, 1.3, 6.0],
        (1, 2),
        Emergency,
        &[&ASPIRIN_81],
    )
    .with(&[&HEAD_CT], &[&SYSTOLIC, &DIASTOLIC, &INR, &PROTHROMBIN_TIME], 0.3),
    illness(
        "132281000119108",
        "Acute deep vein thrombosis",
        [0.05, 0.7, 1.5, 3.5],
        (60, 180),
        Emergency,
        &[&ENOXAPARIN_150, &WARFARIN],
    )
    .with(&[], &[&D_DIMER, &INR], 0.2),
    illness(
        "706870000",
        "Acute pulmonary embolism",
        [0.01, 0.3, 0.8, 2.2],
        (30, 180),
        Emergency,
        &[&HEPARIN, &WARFARIN, &ALTEPLASE_SOLUTION],
    )
    .with(&[&CHEST_CT], GAS_PANEL, 0.8),
    illness("267064002", "Urinary retention", [0.1, 0.3, 1.4, 5.0], (1, 14), Emergency, NONE).with(
        &[],
        URINE_PANEL,
        0.05,
    ),
    illness("266599000", "Painful periods", [2.0, 5.0, 0.5, 0.0], (3, 6), Ambulatory, PAINKILLERS)
        .women(),
    illness(
        "386692008",
        "Heavy periods",
        [0.6, 4.0, 3.5, 0.0],
        (4, 10),
        Ambulatory,
        &[&FERROUS_SULFATE],
    )
    .with(&[], IRON_PANEL, 0.0)
    .women(),
    illness(
        "196416002",
        "Impacted wisdom teeth",
        [2.5, 3.5, 0.2, 0.0],
        (7, 60),
        Outpatient,
        STRONG_PAINKILLERS,
    )
    .with(&[&WISDOM_TOOTH], &[&PAIN], 0.0),
    illness("80967001", "Tooth decay", [8.0, 9.0, 8.0, 7.0], (7, 60), Ambulatory, PAINKILLERS),
    illness("60862001", "Ringing in the ears", [0.3, 2.0, 4.0, 6.0], (30, 200), Ambulatory, NONE),
];

/// Injuries.
pub(crate) static INJURIES: &[Illness] = &[
    illness("44465007", "Ankle sprain", [12.0, 8.0, 5.0, 3.0], (10, 35), UrgentCare, PAINKILLERS)
        .plan(&PHYSIOTHERAPY_PLAN),
    illness("70704007", "Wrist sprain", [6.0, 3.5, 2.5, 2.0], (10, 35), UrgentCare, PAINKILLERS),
    illness("284551006", "Cut of foot", [3.5, 2.2, 1.8, 1.5], (7, 28), UrgentCare, PAINKILLERS)
        .with(&[&WOUND_SUTURE], &[], 0.0)
        .plan(&WOUND_CARE),
    illness("284549007", "Cut of hand", [4.5, 4.5, 3.5, 2.0], (7, 28), UrgentCare, PAINKILLERS)
        .with(&[&WOUND_SUTURE], &[], 0.0),
    illness("283371005", "Cut of forearm", [2.5, 2.2, 1.5, 1.2], (7, 28), UrgentCare, PAINKILLERS)
        .with(&[&WOUND_SUTURE], &[], 0.0),
    illness("283385000", "Cut of thigh", [1.5, 1.2, 0.8, 0.7], (7, 28), UrgentCare, PAINKILLERS)
        .with(&[&WOUND_SUTURE], &[], 0.0),
    illness("370247008", "Cut of face", [6.0, 2.5, 1.6, 2.5], (7, 21), Emergency, PAINKILLERS)
        .with(&[&WOUND_SUTURE], &[], 0.0),
    illness(
        "16114001",
        "Broken ankle",
        [2.0, 1.8, 2.0, 2.5],
        (40, 100),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&ANKLE_XRAY, &BONE_IMMOBILIZATION], &[&PAIN], 0.12)
    .plan(&FRACTURE_CARE),
    illness(
        "58150001",
        "Broken collarbone",
        [2.4, 1.0, 0.7, 0.9],
        (30, 90),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&CLAVICLE_XRAY, &BONE_IMMOBILIZATION], &[&PAIN], 0.02)
    .plan(&FRACTURE_CARE),
    illness(
        "65966004",
        "Broken forearm",
        [5.0, 1.3, 1.6, 3.0],
        (40, 100),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&UPPER_ARM_XRAY, &BONE_IMMOBILIZATION], &[&PAIN], 0.08)
    .plan(&FRACTURE_CARE),
    illness(
        "263102004",
        "Broken and dislocated wrist",
        [2.5, 1.0, 1.5, 3.0],
        (40, 100),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&WRIST_XRAY, &BONE_IMMOBILIZATION], &[&PAIN], 0.05)
    .plan(&FRACTURE_CARE),
    illness(
        "33737001",
        "Broken rib",
        [0.3, 1.0, 1.5, 3.0],
        (30, 80),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&CHEST_XRAY], &[&PAIN], 0.08),
    illness(
        "359817006",
        "Broken hip",
        [0.05, 0.1, 0.6, 7.0],
        (60, 160),
        Emergency,
        &[&MORPHINE, &OXYCODONE_5],
    )
    .with(&[&PELVIS_XRAY, &HIP_REPLACEMENT, &PHYSICAL_THERAPY], HOSPITAL_PANEL, 1.0),
    illness(
        "15724005",
        "Broken spine",
        [0.05, 0.3, 0.5, 2.5],
        (60, 160),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&SPINE_MRI], &[&PAIN], 0.5),
    illness(
        "157265008",
        "Dislocated hip",
        [0.1, 0.2, 0.2, 0.6],
        (20, 60),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&PELVIS_XRAY], &[&PAIN], 0.3),
    illness(
        "62106007",
        "Concussion without loss of consciousness",
        [4.0, 2.0, 1.0, 1.2],
        (7, 60),
        Emergency,
        PAINKILLERS,
    )
    .plan(&HEAD_INJURY_REHABILITATION),
    illness(
        "62564004",
        "Concussion with loss of consciousness",
        [1.0, 0.8, 0.5, 0.8],
        (14, 90),
        Emergency,
        PAINKILLERS,
    )
    .with(&[&HEAD_CT], &[], 0.2),
    illness(
        "127295002",
        "Traumatic brain injury",
        [0.2, 0.3, 0.3, 1.0],
        (30, 200),
        Emergency,
        &[&FENTANYL_INJECTION],
    )
    .with(&[&HEAD_CT, &INTUBATION], GAS_PANEL, 0.8),
    illness("39848009", "Whiplash", [1.0, 3.5, 2.5, 1.2], (14, 60), Emergency, PAINKILLERS),
    illness("90460009", "Neck injury", [0.8, 1.5, 1.2, 0.8], (14, 60), UrgentCare, PAINKILLERS),
    illness(
        "403190006",
        "First-degree burn",
        [2.5, 1.5, 1.0, 0.8],
        (5, 14),
        UrgentCare,
        PAINKILLERS,
    ),
    illness(
        "403191005",
        "Second-degree burn",
        [1.2, 0.9, 0.6, 0.5],
        (10, 30),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[], &[], 0.15),
    illness(
        "403192003",
        "Full-thickness burn",
        [0.1, 0.12, 0.1, 0.12],
        (30, 120),
        Emergency,
        &[&MORPHINE],
    )
    .with(&[&INTRAVENOUS_FLUIDS], HOSPITAL_PANEL, 0.9),
    illness(
        "307731004",
        "Torn tendon of rotator cuff",
        [0.1, 1.0, 2.8, 2.5],
        (60, 200),
        Ambulatory,
        PAINKILLERS,
    )
    .with(&[&PHYSICAL_THERAPY], &[&PAIN], 0.0),
    illness(
        "239720000",
        "Torn meniscus of knee",
        [0.8, 2.0, 2.8, 1.2],
        (40, 150),
        Ambulatory,
        PAINKILLERS,
    )
    .with(&[&KNEE_XRAY], &[&PAIN], 0.0),
    illness(
        "444470001",
        "Torn anterior cruciate ligament",
        [1.0, 0.9, 0.3, 0.05],
        (90, 250),
        Ambulatory,
        STRONG_PAINKILLERS,
    )
    .with(&[&KNEE_XRAY, &PHYSICAL_THERAPY], &[&PAIN], 0.0),
    illness(
        "444448004",
        "Injured medial ligament of knee",
        [0.7, 0.8, 0.5, 0.2],
        (30, 90),
        Ambulatory,
        PAINKILLERS,
    )
    .with(&[&KNEE_XRAY], &[&PAIN], 0.0),
    illness(
        "30832001",
        "Torn kneecap tendon",
        [0.1, 0.2, 0.2, 0.1],
        (60, 160),
        Emergency,
        STRONG_PAINKILLERS,
    )
    .with(&[&KNEE_XRAY], &[&PAIN], 0.3),
    illness("125601008", "Knee injury", [3.0, 3.0, 3.0, 2.5], (10, 60), UrgentCare, PAINKILLERS),
    illness("262574004", "Bullet wound", [0.1, 0.3, 0.1, 0.02], (20, 90), Emergency, &[&MORPHINE])
        .with(&[&BLOOD_TRANSFUSION, &WOUND_SUTURE], HOSPITAL_PANEL, 0.8),
    illness("55680006", "Drug overdose", [0.3, 2.0, 1.3, 0.6], (1, 4), Emergency, &[&NALOXONE])
        .with(&[&SUBSTANCE_COUNSELING], GAS_PANEL, 0.25)
        .plan(&ADDICTION_THERAPY),
];
