"""The sample: tables from which `make_sample.py` makes the resources. Persons and histories are invented.

The codes of LOINC, SNOMED CT, ICD-10, ATC, CVX and CUPS are real ones for the concept beside them.
"""

from __future__ import annotations

from typing import NamedTuple


class Person(NamedTuple):
    """A patient.

    Args:
        document: type and number of the identity document; empty if it is unknown.
        size: kilograms and centimetres.
        problems: each with its onset, then the first control with us, how many, and the days between two.
        died: the day, if so.
    """

    document: tuple[str, str]
    given: str
    surnames: tuple[str, ...]
    gender: str
    birth: str
    city: str
    size: tuple[float, int]
    problems: dict[str, tuple[str, str, int, int] | tuple[str]]
    allergies: tuple[str, ...] = ()
    died: str = ""


PEOPLE = [
    Person(("CC", "1032456789"), "Valentina María", ("Rodríguez", "Peña"), "female", "1988-03-14", "Bogotá", (72.5, 161),
           {"diabetes": ("2019-06", "2022-03-01", 5, 400), "hipertension": ("2021-02", "2022-09-05", 2, 700),
            "embarazo": ("2023-06-12", "2023-07-10", 4, 60)}, ("penicilina",)),
    Person(("CC", "79456123"), "José Ángel", ("Muñoz", "Ibáñez"), "male", "1958-07", "Bogotá", (68.0, 169),
           {"epoc": ("2014", "2025-02-04", 3, 180), "hipertension": ("2009", "2025-05-06", 2, 365)}),
    Person(("CC", "52345678"), "Luz Marina", ("Gómez", "Castañeda"), "female", "1970-11-30", "Medellín", (64.2, 158),
           {"asma": ("1982", "2025-04-21", 3, 150), "infeccion_urinaria": ("2026-03-18",)}, ("polvo",)),
    Person(("CC", "1018765432"), "Andrés Felipe", ("Cárdenas", "Ruiz"), "male", "1995-01-09", "Cali", (78.4, 177),
           {"fractura": ("2026-02-07",)}),
    Person(("TI", "1098765432"), "Sofía", ("Ordóñez", "Vélez"), "female", "2012-05-21", "Bucaramanga", (46.3, 152),
           {"asma": ("2017", "2025-03-12", 4, 130)}, ("mani",)),
    Person(("RC", "1234567890"), "Emiliano", ("Rodríguez", "Peña"), "male", "2024-02-29", "Bogotá", (3.18, 50), {}),
    Person(("CE", "456789"), "Yusneidy del Valle", ("Pérez", "Añez"), "female", "1983-08-17", "Cúcuta", (70.1, 163),
           {"hipertension": ("2022-10", "2025-06-09", 3, 160), "anemia": ("2026-01", "2026-01-20", 2, 90)}),
    Person(("PA", "AAF123456"), "Martín Nicolás", ("Etcheverry",), "male", "1976-12-01", "Cartagena", (81.6, 180),
           {"rinitis": ("1990", "2026-06-17", 2, 90), "dengue": ("2026-04-22",)}, ("aspirina",)),
    Person(("CC", "41234567"), "Rosa Elvira", ("Quiñones", "Mina"), "female", "1945-06-04", "Tumaco", (58.9, 151),
           {"diabetes": ("2001", "2025-01-20", 3, 200), "hipertension": ("1996", "2025-04-28", 2, 300),
            "malaria": ("2025-11-03",)}),
    Person(("CC", "80123987"), "Óscar Iván", ("Sepúlveda", "Ñáñez"), "male", "1980-10-25", "Pasto", (73.0, 171),
           {"depresion": ("2025-08", "2025-09-02", 6, 60)}),
    Person(("CC", "1144098765"), "Daniela", ("Lozano", "Güiza"), "female", "1999-04-02", "Cali", (59.7, 160),
           {"embarazo_en_curso": ("2026-05-10", "2026-06-24", 4, 32), "anemia": ("2026-07", "2026-07-08", 1, 30)}),
    Person(("CC", "19234567"), "Hernán Darío", ("Betancourt", "Uribe"), "male", "1951-09-13", "Manizales", (76.8, 168),
           {"infarto": ("2025-10-16",), "hipertension": ("2005", "2025-11-13", 2, 180),
            "dislipidemia": ("2011", "2026-01-15", 2, 150)}, ("latex",)),
    Person(("TI", "1077123456"), "Juan Sebastián", ("Ipia", "Yule"), "male", "2009-02-11", "Popayán", (55.0, 166),
           {"fractura": ("2025-08-30",)}),
    Person(("CC", "1061234098"), "Luisa Fernanda", ("Chocué", "Dagua"), "female", "1992-07-07", "Popayán", (61.3, 157),
           {"migrana": ("2008", "2025-05-06", 4, 120)}),
    Person(("CC", "37890123"), "Gloria Inés", ("Suárez", "Núñez"), "female", "1963-03-03", "Bucaramanga", (66.6, 155),
           {"hipotiroidismo": ("2017-09", "2025-02-18", 3, 180), "dislipidemia": ("2018", "2025-05-20", 2, 240)}),
    Person(("PT", "5123987"), "Wilmer José", ("Briceño",), "male", "1990-05-05", "Barranquilla", (69.9, 172),
           {"dengue": ("2025-05-14",)}),
    Person(("CC", "72345098"), "Édgar", ("De la Hoz", "Llinás"), "male", "1967-01-31", "Barranquilla", (92.3, 174),
           {"diabetes": ("2015-04", "2025-03-03", 4, 120), "dislipidemia": ("2015", "2025-06-16", 2, 200)}),
    Person(("CC", "1001234567"), "Mariana", ("Jaramillo", "Echeverri"), "female", "2001-12-12", "Medellín", (54.8, 165),
           {"migrana": ("2016", "2025-07-15", 2, 140), "rinitis": ("2010", "2025-09-09", 2, 210)}),
    Person(("CC", "5890123"), "Pedro Nel", ("Timoté", "Ducuara"), "male", "1949-06-29", "Ibagué", (57.2, 164),
           {"epoc": ("2010", "2024-08-12", 5, 130)}, (), "2026-03-19"),
    Person(("", ""), "N. N.", ("Sin identificar",), "unknown", "", "Bogotá", (75.0, 0), {"trauma": ("2026-10-11",)}),
]  # fmt: skip


class Problem(NamedTuple):
    """A diagnosis and its treatment; `days` is its duration (0: chronic), `urgent` whether it begins as an emergency."""

    snomed: str
    display: str
    icd: str
    es: str
    doctor: str
    labs: str = ""
    drugs: str = ""
    procedures: str = ""
    goal: str = ""
    activities: tuple[str, ...] = ()
    days: int = 0
    urgent: bool = False


PROBLEMS = {
    "diabetes": Problem("44054006", "Diabetes mellitus type 2", "E11.9", "Diabetes mellitus tipo 2", "dr-paez",
                        "glucosa hba1c creatinina", "metformina", "pie", "Hemoglobina glicosilada menor de 7 %",
                        ("Educación en autocuidado", "Glucometría en casa", "Valoración anual de retina")),
    "hipertension": Problem("38341003", "Hypertensive disorder", "I10", "Hipertensión esencial", "dr-zuniga",
                            "creatinina potasio", "losartan", "electro", "Presión arterial menor de 130/80 mmHg",
                            ("Reducir la sal", "Caminar 30 minutos al día")),
    "asma": Problem("195967001", "Asthma", "J45.9", "Asma", "dra-quintero", "saturacion", "salbutamol budesonida",
                    "espirometria", "Sin despertares nocturnos por asma", ("Revisar la técnica del inhalador",)),
    "epoc": Problem("13645005", "Chronic obstructive lung disease", "J44.9", "Enfermedad pulmonar obstructiva crónica",
                    "dra-quintero", "saturacion", "tiotropio", "espirometria", "No fumar",
                    ("Rehabilitación pulmonar", "Vacunar contra influenza y neumococo")),
    "depresion": Problem("35489007", "Depressive disorder", "F32.1", "Episodio depresivo moderado", "dra-lemus", "phq9",
                         "fluoxetina", "", "PHQ-9 menor de 5", ("Psicoterapia semanal",)),
    "migrana": Problem("37796009", "Migraine", "G43.9", "Migraña", "dra-quintero", "dolor", "sumatriptan", "",
                       "Menos de dos crisis al mes", ("Llevar diario de cefaleas",)),
    "hipotiroidismo": Problem("40930008", "Hypothyroidism", "E03.9", "Hipotiroidismo", "dr-paez", "tsh",
                              "levotiroxina", "", "TSH entre 0,4 y 4,0", ("Control de TSH cada seis meses",)),
    "dislipidemia": Problem("55822004", "Hyperlipidemia", "E78.5", "Hiperlipidemia", "dr-zuniga",
                            "colesterol trigliceridos", "atorvastatina", "", "Colesterol total menor de 200 mg/dL",
                            ("Dieta baja en grasa saturada",)),
    "rinitis": Problem("61582004", "Allergic rhinitis", "J30.4", "Rinitis alérgica", "dra-quintero", "", "loratadina"),
    "anemia": Problem("271737000", "Anemia", "D64.9", "Anemia", "dra-quintero", "hemoglobina",
                      "sulfato_ferroso", "", "Hemoglobina mayor de 12 g/dL", ("Consejería en alimentación",)),
    "embarazo": Problem("77386006", "Pregnancy", "Z34.9", "Embarazo", "dra-acuna", "hemoglobina gestacion",
                        "acido_folico", "ecografia", "Parto seguro con recién nacido sano",
                        ("Curso psicoprofiláctico", "Control prenatal mensual"), days=262),
    "embarazo_en_curso": Problem("77386006", "Pregnancy", "Z34.9", "Embarazo", "dra-acuna", "hemoglobina gestacion",
                                 "acido_folico", "ecografia", "Parto seguro con recién nacido sano",
                                 ("Curso psicoprofiláctico", "Control prenatal mensual")),
    "fractura": Problem("65966004", "Fracture of forearm", "S52.5", "Fractura de antebrazo", "dr-bolanos", "dolor",
                        "acetaminofen", "inmovilizacion", days=45, urgent=True),
    "infarto": Problem("22298006", "Myocardial infarction", "I21.9", "Infarto agudo de miocardio", "dr-zuniga",
                       "troponina", "aspirina clopidogrel metoprolol", "electro angioplastia",
                       "Rehabilitación cardíaca completa", ("Rehabilitación cardíaca fase II",), days=60, urgent=True),
    "dengue": Problem("38362002", "Dengue", "A90", "Dengue", "dra-quintero", "plaquetas hemoglobina", "acetaminofen",
                      days=12, urgent=True),
    "malaria": Problem("61462000", "Malaria", "B54", "Malaria", "dra-quintero", "hemoglobina plaquetas", "artemeter",
                       days=15, urgent=True),
    "infeccion_urinaria": Problem("68566005", "Urinary tract infectious disease", "N39.0",
                                  "Infección de vías urinarias", "dra-quintero", "leucocitos", "nitrofurantoina",
                                  days=7, urgent=True),
    "trauma": Problem("417746004", "Traumatic injury", "T14.9", "Traumatismo", "dr-bolanos", "hemoglobina leucocitos",
                      "acetaminofen", "curacion", urgent=True),
}  # fmt: skip


class Lab(NamedTuple):
    """A measurement: `start` is its value at the first visit for a problem, `end` at the last one."""

    loinc: str
    display: str
    es: str
    unit: str
    start: float
    end: float
    decimals: int
    low: str = ""
    high: str = ""
    category: str = "laboratory"


LABS = {
    "glucosa": Lab("2339-0", "Glucose [Mass/volume] in Blood", "Glucemia", "mg/dL", 168.5, 118.2, 2, "70", "100"),
    "hba1c": Lab("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "Hemoglobina glicosilada", "%", 9.1, 7.0, 1,
                 "4.0", "5.6"),
    "creatinina": Lab("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "Creatinina", "mg/dL", 1.1, 0.9, 2,
                      "0.50", "1.20"),
    "potasio": Lab("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "Potasio", "mmol/L", 4.3, 4.0, 1, "3.5",
                   "5.1"),
    "colesterol": Lab("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "Colesterol total", "mg/dL", 238, 186,
                      0, "", "200"),
    "trigliceridos": Lab("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "Triglicéridos", "mg/dL", 247, 160,
                         0, "", "150"),
    "tsh": Lab("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "TSH", "m[IU]/L", 9.8, 3.15, 3, "0.400",
               "4.000"),
    "plaquetas": Lab("777-3", "Platelets [#/volume] in Blood by Automated count", "Plaquetas", "10*3/uL", 78, 214, 0,
                     "150", "450"),
    "hemoglobina": Lab("718-7", "Hemoglobin [Mass/volume] in Blood", "Hemoglobina", "g/dL", 10.6, 12.3, 1, "12.0",
                       "16.0"),
    "leucocitos": Lab("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "Leucocitos", "10*3/uL", 11.9,
                      7.4, 2, "4.50", "11.00"),
    "troponina": Lab("10839-9", "Troponin I.cardiac [Mass/volume] in Serum or Plasma", "Troponina I", "ng/mL", 2.35,
                     0.02, 3, "", "0.040"),
    "saturacion": Lab("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "Saturación de oxígeno", "%",
                      90, 94, 0, "92", "", "vital-signs"),
    "phq9": Lab("44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]", "PHQ-9, total",
                "{score}", 17, 6, 0, "", "4", "survey"),
    "dolor": Lab("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported", "Dolor, de 0 a 10",
                 "{score}", 8, 2, 0, "", "", "survey"),
    "gestacion": Lab("11884-4", "Gestational age Estimated", "Edad gestacional", "wk", 0, 0, 0, "", "", "exam"),
}  # fmt: skip

CBC = ("58410-2", "CBC panel - Blood by Automated count", "Cuadro hemático", "902210")
CHEMISTRY = ("24323-8", "Comprehensive metabolic 2000 panel - Serum or Plasma", "Química sanguínea", "903841")


class Drug(NamedTuple):
    """A medicine, with its dose, the number of doses a day and the number of days."""

    atc: str
    name: str
    dose: str
    unit: str
    times: int
    text: str
    days: int = 30


DRUGS = {
    "metformina": Drug("A10BA02", "Metformina 850 mg", "850", "mg", 2, "Una tableta con el desayuno y la comida"),
    "losartan": Drug("C09CA01", "Losartán 50 mg", "50", "mg", 1, "Una tableta cada mañana"),
    "salbutamol": Drug("R03AC02", "Salbutamol 100 mcg, inhalador", "200", "ug", 4, "Dos inhalaciones si hay ahogo"),
    "budesonida": Drug("R03BA02", "Budesonida 200 mcg, inhalador", "200", "ug", 2, "Una inhalación mañana y noche"),
    "tiotropio": Drug("R03BB04", "Tiotropio 18 mcg, cápsula para inhalar", "18", "ug", 1, "Una cápsula cada mañana"),
    "acetaminofen": Drug("N02BE01", "Acetaminofén 500 mg", "500", "mg", 4, "Una tableta cada seis horas si hay dolor", 5),
    "fluoxetina": Drug("N06AB03", "Fluoxetina 20 mg", "20", "mg", 1, "Una cápsula cada mañana"),
    "acido_folico": Drug("B03BB01", "Ácido fólico 1 mg", "1", "mg", 1, "Una tableta al día"),
    "aspirina": Drug("B01AC06", "Ácido acetilsalicílico 100 mg", "100", "mg", 1, "Una tableta con el almuerzo"),
    "clopidogrel": Drug("B01AC04", "Clopidogrel 75 mg", "75", "mg", 1, "Una tableta al día durante un año"),
    "metoprolol": Drug("C07AB02", "Metoprolol 50 mg", "50", "mg", 2, "Una tableta cada doce horas"),
    "atorvastatina": Drug("C10AA05", "Atorvastatina 40 mg", "40", "mg", 1, "Una tableta cada noche"),
    "sumatriptan": Drug("N02CC01", "Sumatriptán 50 mg", "50", "mg", 1, "Una tableta al comenzar la crisis"),
    "levotiroxina": Drug("H03AA01", "Levotiroxina 50 mcg", "50", "ug", 1, "Una tableta en ayunas"),
    "loratadina": Drug("R06AX13", "Loratadina 10 mg", "10", "mg", 1, "Una tableta al día"),
    "sulfato_ferroso": Drug("B03AA07", "Sulfato ferroso 300 mg", "300", "mg", 1, "Una tableta lejos de las comidas"),
    "artemeter": Drug("P01BF01", "Arteméter 20 mg y lumefantrina 120 mg", "4", "{tbl}", 2, "Cuatro tabletas cada doce horas", 3),
    "nitrofurantoina": Drug("J01XE01", "Nitrofurantoína 100 mg", "100", "mg", 4, "Una cápsula cada seis horas", 5),
}  # fmt: skip

# SNOMED code, display, Spanish
PROCEDURES = {
    "electro": ("29303009", "Electrocardiographic procedure", "Electrocardiograma"),
    "espirometria": ("127783003", "Spirometry", "Espirometría"),
    "ecografia": ("16310003", "Ultrasonography", "Ecografía obstétrica"),
    "inmovilizacion": ("274474001", "Bone immobilization", "Inmovilización con yeso"),
    "angioplastia": ("415070008", "Percutaneous coronary intervention", "Angioplastia coronaria"),
    "curacion": ("225358003", "Wound care", "Curación de heridas"),
    "pie": ("401191002", "Diabetic foot examination", "Examen de pie diabético"),
    "cesarea": ("11466000", "Cesarean section", "Cesárea"),
}
# SNOMED code, display, Spanish, category, criticality, (reaction's code, display, Spanish)
ALLERGIES = {
    "penicilina": ("91936005", "Allergy to penicillin", "Alergia a la penicilina", "medication", "high",
                   ("39579001", "Anaphylaxis", "Anafilaxia")),
    "polvo": ("232350006", "House dust mite allergy", "Alergia a los ácaros del polvo", "environment", "low",
              ("49727002", "Cough", "Tos")),
    "mani": ("91935009", "Allergy to peanut", "Alergia al maní", "food", "high",
             ("126485001", "Urticaria", "Urticaria")),
    "aspirina": ("293586001", "Allergy to aspirin", "Alergia al ácido acetilsalicílico", "medication", "high",
                 ("271807003", "Eruption of skin", "Brote en la piel")),
    "latex": ("300916003", "Latex allergy", "Alergia al látex", "environment", "high",
              ("271807003", "Eruption of skin", "Brote en la piel")),
}  # fmt: skip
# CVX code, display, Spanish
VACCINES = {
    "influenza": ("141", "Influenza, seasonal, injectable", "Influenza"),
    "neumococo": ("33", "pneumococcal polysaccharide PPV23", "Neumococo 23-valente"),
    "tdap": ("115", "Tdap", "Tétanos, difteria y tos ferina acelular"),
    "bcg": ("19", "BCG", "Tuberculosis (BCG)"),
    "hepatitis_b": ("08", "Hep B, adolescent or pediatric", "Hepatitis B"),
    "hexavalente": ("146", "DTaP-IPV-Hib-HepB", "Hexavalente"),
    "rotavirus": ("119", "rotavirus, monovalent", "Rotavirus"),
    "srp": ("03", "MMR", "Sarampión, rubéola y paperas"),
    "vph": ("62", "HPV, quadrivalent", "Virus del papiloma humano"),
}
# Days of age, kilograms, centimetres, head's centimetres, vaccines: the newborn's visits
GROWTH = [
    (0, "3.180", "50.0", "34.5", "bcg hepatitis_b"),
    (7, "3.050", "50.5", "34.8", ""),
    (61, "5.400", "58.0", "39.0", "hexavalente rotavirus"),
    (122, "6.850", "63.5", "41.5", "hexavalente rotavirus"),
    (183, "7.900", "67.5", "43.2", "hexavalente influenza"),
    (367, "9.650", "75.5", "46.0", "srp"),
    (735, "12.400", "87.0", "48.5", ""),
]
ORGANIZATIONS = [
    ("hospital-san-rafael", "Hospital Universitario San Rafael", "prov", "Bogotá", "110010999901"),
    ("clinica-la-ceiba", "Clínica La Ceiba", "prov", "Cali", "760010999902"),
    ("laboratorio-andino", "Laboratorio Clínico Andino", "prov", "Medellín", "050010999903"),
    ("eps-nueva-aurora", "EPS Nueva Aurora", "ins", "Bogotá", "EPS999"),
]
# id, given names, surnames, gender, SNOMED code of the specialty, display, Spanish, licence
PRACTITIONERS = [
    ("dra-quintero", "Ana Lucía", "Quintero Páez", "female", "394814009", "General practice", "Medicina general", "1047"),
    ("dr-zuniga", "Camilo", "Zúñiga Ávila", "male", "394579002", "Cardiology", "Cardiología", "2093"),
    ("dra-acuna", "Pilar", "Acuña Niño", "female", "394585009", "Obstetrics and gynecology", "Ginecología y obstetricia", "3181"),
    ("dr-bolanos", "Efraín", "Bolaños Yepes", "male", "394801008", "Trauma and orthopedics", "Ortopedia y traumatología", "4270"),
    ("dr-paez", "Jesús María", "Páez Güecha", "male", "394583002", "Endocrinology", "Endocrinología", "5336"),
    ("dra-lemus", "Íngrid", "Lemus Córdoba", "female", "394587001", "Psychiatry", "Psiquiatría", "6418"),
    ("dr-narino", "Tomás", "Nariño Ibarra", "male", "394537008", "Pediatrics", "Pediatría", "7550"),
    ("enf-tique", "Yolanda", "Tique Poloche", "female", "224535009", "Registered nurse", "Enfermería", "8562"),
]  # fmt: skip
# id, name, organization, HL7 role code
LOCATIONS = [
    ("consulta-externa", "Consulta externa", "hospital-san-rafael", "OF"),
    ("urgencias", "Urgencias", "hospital-san-rafael", "ER"),
    ("hospitalizacion", "Hospitalización, piso 4", "hospital-san-rafael", "HU"),
    ("sala-de-partos", "Sala de partos", "hospital-san-rafael", "HU"),
    ("la-ceiba-consultorios", "Consultorios La Ceiba", "clinica-la-ceiba", "OF"),
]
