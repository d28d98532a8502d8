"""Where the calls through a register of a linked Thumb program may go: methods of trait objects, functions that are handed
over as arguments or kept in a table.

A register is followed from where it is set to where it is called. Where it can only have been set from constants behind the
code, those are what is called. Otherwise it may hold the address of each function whose address is anything but called: one
that a vtable or another table in the program's data holds, or that code has in a register when it hands on, stores or reckons
with what is there. What is followed is too much, and never too little, for a program whose code was not outlined: outlined
pieces keep no calling convention.
"""

import collections
import dataclasses
import pathlib
import re
import struct

import program

DATA = re.compile(r"\.(word|long|short|byte)\s+0x([0-9a-f]+)$")
DATA_BYTES = {"word": 4, "long": 4, "short": 2, "byte": 1}
INDIRECT = re.compile(r"^(?:blx|bx)(?:[a-z]{2})?\s+(?!lr$)(\w+)$")
# `ldr r4, [pc, #40]  @ 0x37ad8`: loads the constant there.
LITERAL = re.compile(r"^ldr\w*(?:\.[nw])?\s+(\w+),\s*\[pc.*@ 0x([0-9a-f]+)")
HALF = re.compile(r"^(movw|movt)\w*\s+(\w+),\s*#(\d+)")
TABLE = re.compile(r"^tb([bh])\s")
BRANCH = re.compile(r"^c?b[a-z]*(?:\.[nw])?\s.*?0x([0-9a-f]+)")
MOVE = re.compile(r"^mov(?:s|\.w)?\s+\w+, (?:r\d+|sb|sl|fp|ip)$")
ENDS = re.compile(r"^(b(\.[nw])?\s|bx\s|tb|udf|trap|pop\S*\s.*\bpc\b|ldm\S*\s.*\bpc\b|ldr\S*\s+pc,)")
REGISTER = re.compile(r"\b(r\d+|sb|sl|fp|ip|sp|lr)\b")
NAMES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}
# What sets none of the registers that it names.
SETS_NONE = re.compile(r"^(str|push|stm|cmp|cmn|tst|teq|b|cb|it|nop|yield|v|svc|dmb|dsb|isb|udf|trap|tb)")
SETS_TWO = re.compile(r"^(ldrd|[us]mull)")
SETS_LIST = re.compile(r"^(pop|ldm)")
# What sets its first register and does not look at it before, as nothing does that has three operands (but `bfi`).
ONLY_SETS = re.compile(r"^(ldr|mov(?!t)|mvn|adr|[us]xt|clz|rev|rbit|mrs)")
# What a call may change, and what it may look at.
CALLER_SAVED = ("r0", "r1", "r2", "r3", "r12", "lr")
ARGUMENTS = ("r0", "r1", "r2", "r3")
UNKNOWN = -1
NOTHING_KNOWN = frozenset([UNKNOWN])

# For a register that is not in it, nothing is known. Else the addresses of the functions that it may hold.
State = dict[str, frozenset[int]]


@dataclasses.dataclass
class Site:
    """A call through a register."""

    address: int
    # The functions that the register can hold, where it is only set from constants.
    targets: frozenset[int] | None


def follow_constants(functions: dict[int, program.Function]) -> None:
    """Adds the calls through registers that are only ever set from constants."""
    for function in functions.values():
        for site in look(function, functions)[0]:
            function.calls += [(site.address, target) for target in sorted(site.targets or ())]


def follow(path: str, functions: dict[int, program.Function], start: str, own: str) -> None:
    """Adds all calls through registers.

    `start` alone calls the functions whose name begins with `own` from a table: they are not called back.
    """
    taken = in_data(path, functions)
    sites: list[tuple[program.Function, Site]] = []
    for function in functions.values():
        found, handed_on = look(function, functions)
        taken |= handed_on
        sites += [(function, site) for site in found]
    callable_back = {address for address in taken if not functions[address].name.startswith(own)}
    for function, site in sites:
        targets = site.targets
        if targets is None:
            targets = taken if function.name == start else callable_back
        function.calls += [(site.address, target) for target in sorted(targets)]


def in_data(path: str, functions: dict[int, program.Function]) -> set[int]:
    """The functions whose address lies in the data of a 32-bit little-endian ELF file."""
    image = pathlib.Path(path).read_bytes()
    table, size, count = struct.unpack_from("<32xI10xHH", image)
    found = set()
    for number in range(count):
        kind, flags, _, offset, length = struct.unpack_from("<4xIIIII", image, table + number * size)
        # What is loaded (2) and is no code (4) and has contents.
        if kind == 1 and flags & 2 and not flags & 4:
            words = struct.unpack_from(f"<{length // 4}I", image, offset)
            # The lowest bit of a function's address says that it is Thumb code.
            found |= {word - 1 for word in words if word & 1 and word - 1 in functions}
    return found


def look(function: program.Function, functions: dict[int, program.Function]) -> tuple[list[Site], set[int]]:
    """The calls through registers of a function, and the functions whose address it has for something else."""
    if not any(INDIRECT.match(text) for _, text in function.code):
        # Nothing to follow here: whatever is loaded is for something else.
        return [], {word - 1 for word in constants(function).values() if word - 1 in functions}
    body = Body(function, functions)
    states = body.flow()
    # What is loaded in another way than one by one is for something else, too.
    followed = {int(literal[2], 16) for _, text in body.code if (literal := LITERAL.match(text))}
    handed_on = {word - 1 for place, word in body.words.items() if place not in followed and word - 1 in functions}
    sites = []
    for at, state in enumerate(states):
        if state is None:
            continue
        address, text = body.code[at]
        call = INDIRECT.match(text)
        called = NAMES.get(call[1], call[1]) if call else None
        if called:
            held = state.get(called, NOTHING_KNOWN)
            sites.append(Site(address, None if UNKNOWN in held else held))
        for register in body.looks_at(text) - {called}:
            handed_on |= state.get(register, frozenset()) - {UNKNOWN}
    return sites, handed_on


def constants(function: program.Function) -> dict[int, int]:
    """The words behind the code, by address."""
    found = ((address, DATA.search(text)) for address, text in function.code)
    return {address: int(data[2], 16) for address, data in found if data and DATA_BYTES[data[1]] == 4}


class Body:
    """A function's instructions, and how one leads to the others."""

    def __init__(self, function: program.Function, functions: dict[int, program.Function]):
        self.functions = functions
        self.words = constants(function)
        self.bytes: dict[int, int] = {}
        self.code: list[tuple[int, str]] = []
        for address, text in function.code:
            if data := DATA.search(text):
                size = DATA_BYTES[data[1]]
                for place, byte in enumerate(int(data[2], 16).to_bytes(size, "little")):
                    self.bytes[address + place] = byte
            else:
                self.code.append((address, text.split("@")[0].strip() if "[pc" not in text else text))
        self.at = {address: at for at, (address, _) in enumerate(self.code)}
        # Instructions that are only carried out if a condition holds.
        self.conditional: set[int] = set()
        for at, (_, text) in enumerate(self.code):
            if condition := re.match(r"^i(t[te]*)\s", text):
                self.conditional |= set(range(at + 1, at + 1 + len(condition[1])))

    def flow(self) -> list[State | None]:
        """What is known of the registers before each instruction; `None` where nothing leads."""
        states: list[State | None] = [None] * len(self.code)
        if states:
            states[0] = {}
        # At the start nothing is known, which is what an empty state says.
        work = collections.deque([0] if states else [])
        while work:
            at = work.popleft()
            after = self.step(at, states[at])
            for following in self.leads_to(at):
                merged = merge(states[following], after)
                if merged != states[following]:
                    states[following] = merged
                    work.append(following)
        return states

    def step(self, at: int, state: State) -> State:
        """What is known behind an instruction."""
        _, text = self.code[at]
        changed: dict[str, frozenset[int] | None] = {}
        literal, half = LITERAL.match(text), HALF.match(text)
        if literal:
            word = self.words.get(int(literal[2], 16), 0) - 1
            changed[NAMES.get(literal[1], literal[1])] = frozenset([word]) if word in self.functions else None
        elif half and half[1] == "movt":
            low = state.get("low " + half[2])
            word = (int(half[3]) << 16 | min(low)) - 1 if low else 0
            changed[NAMES.get(half[2], half[2])] = frozenset([word]) if word in self.functions else None
        elif MOVE.match(text):
            target, source = REGISTER.findall(text)
            changed[NAMES.get(target, target)] = state.get(NAMES.get(source, source))
        else:
            changed = dict.fromkeys(sets(text))
            if half:
                changed["low " + half[2]] = frozenset([int(half[3])])
        if not changed:
            return state
        after = dict(state)
        for register, held in changed.items():
            if held is None:
                after.pop(register, None)
            else:
                after[register] = held
        return merge(state, after) if at in self.conditional else after

    def leads_to(self, at: int) -> list[int]:
        address, text = self.code[at]
        found = []
        if table := TABLE.match(text):
            found += self.table(address + 4, 1 if table[1] == "b" else 2)
        elif not program.CALL.match(text) and (branch := BRANCH.match(text)) and int(branch[1], 16) in self.at:
            found.append(self.at[int(branch[1], 16)])
        if at + 1 < len(self.code) and (at in self.conditional or not ENDS.match(text)):
            found.append(at + 1)
        return found

    def table(self, start: int, width: int) -> list[int]:
        """Where a table of branches leads: it ends where its nearest target begins."""
        found, place, end = [], start, None
        while place in self.bytes and (end is None or place < end):
            entry = sum(self.bytes.get(place + n, 0) << 8 * n for n in range(width))
            target = start + 2 * entry
            if target in self.at:
                found.append(self.at[target])
                end = target if end is None else min(end, target)
            place += width
        return found

    def looks_at(self, text: str) -> set[str]:
        """The registers whose contents an instruction uses."""
        if LITERAL.match(text) or MOVE.match(text) or text.startswith("pop"):
            return set()
        if re.match(r"^bx\s+lr", text):
            return {"r0", "r1"}
        words = [NAMES.get(word, word) for word in REGISTER.findall(text)]
        if text.startswith("ldm"):
            words = words[:1]
        elif SETS_TWO.match(text):
            words = words[2:]
        elif ONLY_SETS.match(text) or (text.count(",") > 1 and not SETS_NONE.match(text) and not text.startswith("bf")):
            words = words[1:]
        used = set(words)
        branch = BRANCH.match(text)
        leaves = program.CALL.match(text) or text.startswith("bx") or (branch and int(branch[1], 16) not in self.at)
        return used | set(ARGUMENTS) if leaves else used


def sets(text: str) -> set[str]:
    """The registers that an instruction may set, with what a call may."""
    words = [NAMES.get(word, word) for word in REGISTER.findall(text)]
    if program.CALL.match(text):
        return set(CALLER_SAVED)
    found: set[str] = set()
    if SETS_LIST.match(text):
        found |= set(words)
    elif SETS_TWO.match(text) or re.match(r"^[us]mlal", text):
        found |= set(words[:2])
    elif not SETS_NONE.match(text):
        found |= set(words[:1])
    # `[r1], #4` and `[r1, #4]!` step forward what they go by.
    if base := re.search(r"\[(\w+)(?:\], |[^\]]*\]!)", text):
        found.add(NAMES.get(base[1], base[1]))
    return found


def merge(one: State | None, other: State) -> State:
    """What may be held where two ways meet. A register of which one knows nothing may hold anything."""
    if one is None:
        return other
    met = {}
    for register in one.keys() | other.keys():
        met[register] = one.get(register, NOTHING_KNOWN) | other.get(register, NOTHING_KNOWN)
    return met
