"""Words that the seeded fleet is named with, a share of them awkward on purpose."""

COMPANY_HEADS: tuple[str, ...] = (
    "Harbor", "Summit", "Oakridge", "Bluewater", "Redstone", "Maple Leaf", "Ironbark", "Northgate", "Silverline",
    "Evergreen", "Cedar Point", "Lakeside", "Granite", "Pioneer", "Beacon", "Cascade", "Sterling", "Willow",
    "Falcon", "Meridian", "Atlas", "Kestrel", "Juniper", "Copperfield", "Stonebridge", "Fairview", "Highland",
)  # fmt: skip
"""First words of plain company names."""

COMPANY_TAILS: tuple[str, ...] = (
    "Dental", "Legal Group", "Architects", "Logistics", "Manufacturing", "Accounting", "Veterinary Clinic",
    "Insurance Brokers", "Property Management", "Engineering", "Foods", "Credit Union", "Charter School", "Media",
)  # fmt: skip
"""Second words of plain company names."""

AWKWARD_COMPANIES: tuple[str, ...] = (
    "Müller & Söhne GmbH",
    'The "Quoted" Company, Inc.',
    "株式会社サクラ電機",
    "مكتب الأمل للمحاسبة",
    "O'Brien\\Backslash Ltd",
    "Café Étoile ☕ SARL",
    "Ćwikła i Żółć Sp. z o.o.",
    "<b>Bold</b> & Partners",
    "משרד עורכי דין כהן",
    "Компания «Север»",
)
"""Company names that break naive code: quotes, markup, backslash, right-to-left and wide scripts, emoji."""

SITE_NAMES: tuple[str, ...] = (
    "Main Office", "Warehouse", "Downtown", "Branch East", "Branch West", "Remote Users", "Data Center",
    "Zürich Büro", "São Paulo", "東京支店", 'Plant #2 ("Old Mill")', "Clinic 🏥",
)  # fmt: skip
"""Site names; a company takes them in order from a seeded start."""

AWKWARD_DEVICES: tuple[str, ...] = (
    "Büro-Empfang", "ΑΘΗΝΑ-PC", "Jane's \"big\" laptop", "経理-ノート", "💻 lobby kiosk", "مختبر-٣", "C:\\DESKTOP",
    "PC with spaces  ", "naïve café", "מחשב-קבלה", "tab\there", "DESKTOP-ÆØÅ",
)  # fmt: skip
"""Device names a person typed; a number is added so that they stay distinct."""

PLACEHOLDER_SERIALS: tuple[str, ...] = (
    "To be filled by O.E.M.",
    "Default string",
    "0",
    "None",
    "System Serial Number",
    "",
)
"""What firmware reports when nobody set a serial number."""
