"""The hardware that fleets are drawn from: fixed archetypes, so a device is an archetype plus a few values."""

from dataclasses import dataclass
from itertools import product
from random import Random

GIB = 1 << 30
CATEGORIES: tuple[str, ...] = ("platform", "network", "cloud")
"""Device categories of the v2 list, in the order in which a site's devices are numbered."""


@dataclass(frozen=True, slots=True)
class System:
    """An operating system as the RMM names it."""

    product: str
    version: str
    family: str
    maker: str


@dataclass(frozen=True, slots=True)
class Archetype:
    """One make of device; everything that its devices have in common."""

    index: int
    kind: str
    category: str
    tag: str
    manufacturer: str
    model: str
    serial_prefix: str
    serial_style: str
    mac_prefix: str
    os: System | None
    processor: str
    cores: int
    memory: tuple[int, ...]
    drives: tuple[tuple[str, str, int], ...]
    virtual: str
    installed_at: str
    os_installed_at: str
    part: str

    @property
    def endpoint_type(self) -> str:
        """The vendor's word for what the agent runs on."""
        words = {"server": "Server", "virtual_machine": "Server", "cloud_vm": "Server"}
        return words.get(self.kind, "Desktop" if self.category == "platform" else "NetworkDevice")


W11 = System("Microsoft Windows 11 Pro", "10.0.26100", "Windows", "Microsoft Corporation")
W10 = System("Microsoft Windows 10 Pro", "10.0.19045", "Windows", "Microsoft Corporation")
S22 = System("Microsoft Windows Server 2022 Standard", "10.0.20348", "Windows", "Microsoft Corporation")
S19 = System("Microsoft Windows Server 2019 Standard", "10.0.17763", "Windows", "Microsoft Corporation")
MAC = System("macOS Sequoia", "15.3.1", "Darwin", "Apple Inc.")
LNX = System("Ubuntu 24.04.2 LTS", "6.8.0-54-generic", "Linux", "Canonical")

NVME = ("KXG60ZNV512G KIOXIA", "SSD", 512_110_190_592)
SATA = ("WDC WD10EZEX-08WN4A0", "HDD", 1_000_202_273_280)
VDISK = ("VMware Virtual disk SCSI Disk Device", "Fixed hard disk media", 128_849_018_880)
I5, I7 = "13th Gen Intel(R) Core(TM) i5-1345U", "12th Gen Intel(R) Core(TM) i7-12700"
XEON, RYZEN = "Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz", "AMD Ryzen 5 PRO 5650U with Radeon Graphics"

# weight, kind, tag, maker, model, serial prefix and style, MAC prefix, systems, processor, cores, memories, drives
_Source = tuple[
    int, str, str, str, str, str, str, str, tuple[System | None, ...], str, int,
    tuple[tuple[int, ...], ...], tuple[tuple[str, str, int], ...],
]  # fmt: skip
_SMALL, _LARGE, _HUGE = (8 * GIB,), (8 * GIB, 8 * GIB), (32 * GIB,) * 4
_LAPTOP, _SERVER = (_SMALL, _LARGE, (16 * GIB, 16 * GIB)), (_HUGE, (16 * GIB, 16 * GIB))

_PLATFORM: tuple[_Source, ...] = (
    (16, "laptop", "LT", "Dell Inc.", "Latitude 5440", "", "short", "A4:BB:6D", (W11, W10), I5, 10, _LAPTOP, (NVME,)),
    (12, "laptop", "LT", "HP", "HP EliteBook 840 G9", "5CG", "short", "3C:52:82", (W11, W10), I5, 10, _LAPTOP, (NVME,)),
    (12, "laptop", "LT", "LENOVO", "21HDCTO1WW", "PF", "short", "88:A4:C2", (W11,), RYZEN, 6, _LAPTOP, (NVME,)),
    (4, "laptop", "MB", "Apple Inc.", "MacBookPro18,3", "C02", "short", "F0:18:98", (MAC,), "Apple M1 Pro", 10,
     ((16 * GIB,),), (("APPLE SSD AP0512R", "SSD", 500_277_792_768),)),
    (16, "desktop", "WS", "Dell Inc.", "OptiPlex 7010", "", "short", "D8:9E:F3", (W11, W10), I7, 12,
     (_SMALL, _LARGE), (NVME, SATA)),
    (10, "desktop", "WS", "HP", "HP ProDesk 600 G6 SFF", "8CC", "short", "E4:E7:49", (W11, W10), I7, 12,
     (_SMALL, _LARGE), (NVME,)),
    (8, "desktop", "WS", "LENOVO", "11JN0001US", "MJ", "short", "6C:4B:90", (W10,), RYZEN, 6, (_SMALL, _LARGE),
     (SATA,)),
    (3, "desktop", "PC", "Micro-Star International Co., Ltd.", "MS-7C91", "", "short", "2C:F0:5D", (W10,), RYZEN, 6,
     (_LARGE,), (SATA,)),
    (4, "server", "SRV", "Dell Inc.", "PowerEdge R650", "", "short", "B0:7B:25", (S22, S19), XEON, 16, _SERVER,
     (("PERC H755 Front", "SSD", 1_920_383_410_176),) * 2),
    (3, "server", "SRV", "HPE", "ProLiant DL380 Gen10", "CZ", "short", "94:40:C9", (S22, S19), XEON, 16, _SERVER,
     (("HPE LOGICAL VOLUME", "HDD", 2_400_476_553_216),)),
    (1, "server", "LNX", "Supermicro", "SYS-1029P-WTR", "S", "short", "AC:1F:6B", (LNX,), XEON, 16, _SERVER, (SATA,)),
    (7, "virtual_machine", "VM", "VMware, Inc.", "VMware Virtual Platform", "", "vmware", "00:50:56",
     (S22, S19, LNX), XEON, 4, ((16 * GIB,), (8 * GIB,)), (VDISK,)),
    (4, "virtual_machine", "VM", "Microsoft Corporation", "Virtual Machine", "", "hyperv", "00:15:5D",
     (S22, S19), XEON, 4, ((16 * GIB,),), (("Microsoft Virtual Disk", "Fixed hard disk media", 136_363_130_880),)),
)  # fmt: skip

_NETWORK: tuple[_Source, ...] = (
    (30, "switch", "SW", "Cisco Systems, Inc.", "C9200L-24P-4G", "FOC", "short", "70:6B:B9", (None,), "", 0, ((),), ()),
    (20, "switch", "SW", "Ubiquiti Inc.", "USW-Pro-48-PoE", "", "short", "74:AC:B9", (None,), "", 0, ((),), ()),
    (15, "firewall", "FW", "Fortinet", "FortiGate-60F", "FGT60F", "short", "E0:23:FF", (None,), "", 0, ((),), ()),
    (15, "access_point", "AP", "Ubiquiti Inc.", "U6-LR", "", "short", "D0:21:F9", (None,), "", 0, ((),), ()),
    (30, "printer", "PRN", "HP", "HP LaserJet MFP M428fdw", "VNB", "short", "F8:0D:AC", (None,), "", 0, ((),), ()),
    (10, "printer", "PRN", "Brother", "Brother MFC-L8900CDW", "U", "short", "30:05:5C", (None,), "", 0, ((),), ()),
    (6, "nas", "NAS", "Synology", "DS920+", "20A0", "short", "00:11:32", (None,), "", 0, ((),), ()),
)  # fmt: skip

_CLOUD: tuple[_Source, ...] = (
    (10, "cloud_vm", "AZ", "Microsoft Corporation", "Standard_D4s_v5", "", "hyperv", "00:0D:3A", (S22, LNX), XEON, 4,
     ((16 * GIB,),), (("Microsoft Virtual Disk", "SSD", 136_363_130_880),)),
)  # fmt: skip

_VIRTUAL = {"vmware": "VMware", "hyperv": "Hyper-V"}
TABLE_SIZE = 1 << 13
LOOKS = 4
"""Each make comes in this many looks: dates and part numbers that are few, so they cost nothing per device."""


def _stamp(draw: Random) -> str:
    day = f"20{draw.randint(19, 25)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
    clock = f"{draw.randint(0, 23):02d}:{draw.randint(0, 59):02d}:{draw.randint(0, 59):02d}"
    return f"{day}T{clock}.{draw.randint(0, 999):03d}Z"


def _expand() -> tuple[tuple[Archetype, ...], tuple[tuple[Archetype, ...], ...]]:
    draw = Random(20_240_229)
    found: list[Archetype] = []
    tables: list[tuple[Archetype, ...]] = []
    for category, sources in zip(CATEGORIES, (_PLATFORM, _NETWORK, _CLOUD), strict=True):
        drawn: list[Archetype] = []
        for weight, kind, tag, maker, model, prefix, style, mac, systems, cpu, cores, memories, drives in sources:
            made = [
                Archetype(
                    len(found) + n, kind, category, tag, maker, model, prefix, style, mac, system, cpu, cores, memory,
                    drives, _VIRTUAL.get(style, ""), _stamp(draw), _stamp(draw), f"{draw.getrandbits(24):06X}",
                )
                for n, (_, system, memory) in enumerate(product(range(LOOKS), systems, memories))
            ]  # fmt: skip
            found += made
            drawn += [made[n % len(made)] for n in range(weight * 24)]
        tables.append(tuple(drawn[n * len(drawn) // TABLE_SIZE] for n in range(TABLE_SIZE)))
    return tuple(found), tuple(tables)


ARCHETYPES, TABLES = _expand()
"""Every archetype by index, and per category a table of 8,192 draws."""
