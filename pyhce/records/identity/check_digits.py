"""Check digits of national numbers.

Each function gets the value of an identifier, and its check digit if the sender transmits it separately. It returns the
number with its check digit, or None if the number is invalid or ambiguous: a wrong guess would put a person into the
record of another. The arithmetic is python-stdnum's (https://arthurdejong.org/python-stdnum/) where it has the number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

from pyhce.records.identity.grammar import HYPHENS, fold_number

Check = Callable[[str, str | None], str | None]

_UY_WEIGHTS = (2, 9, 8, 7, 6, 3, 4)
_CURP = re.compile(r"[A-Z]{4}[0-9]{6}[A-Z]{6}[0-9A-Z][0-9]\Z")


def _stdnum(name: str) -> Any:
    """Return python-stdnum's module for a kind of number, imported on first use because few programs need it."""
    return import_module(f"stdnum.{name}")


def cl_run(value: str, digit: str | None) -> str | None:
    """Chile's RUN: seven or eight digits, then a digit or K by modulo 11.

    The check digit is after the last hyphen (`15.236.327-3`), the ninth character (`152363273`), a K, or transmitted
    separately, as in the guide of the Ministerio de Salud's Estándares de Información. `15236327` alone is ambiguous:
    it may be a number without its check digit, or 1.523.632-7.
    """
    text, separate = fold_number(value), fold_number(digit or "")
    inside = value.strip()[-2:-1] in HYPHENS or len(text) == 9 or text.endswith("K")
    if not inside and not separate:
        return None
    number = text if inside else text + separate
    if not number.isascii() or (separate and number[-1:] != separate) or not re.fullmatch(r"[0-9]{7,8}[0-9K]", number):
        return None
    return number if _stdnum("cl.rut").is_valid(number) else None


def br_cpf(value: str, _: str | None) -> str | None:
    """Brazil's CPF: eleven digits, the last two are check digits."""
    number = fold_number(value)
    return number if re.fullmatch("[0-9]{11}", number) and _stdnum("br.cpf").is_valid(number) else None


def br_cns(value: str, _: str | None) -> str | None:
    """Brazil's Cartão Nacional de Saúde: fifteen digits whose sum, weighted 15 to 1, is a multiple of 11.

    A number that begins with 1 or 2 is an eleven-digit PIS, three digits and the check digit. The three digits are 000,
    or 001 if the check digit would be 10, which makes it 8. A number that begins with 7, 8 or 9 may have any digits.
    Source: e-SUS APS, https://github.com/laboratoriobridge/esusab-integracao, documentacao/regras/algoritmo_CNS.md
    """
    number = fold_number(value)
    if not re.fullmatch("[12][0-9]{10}00(0[0-9]|18)|[789][0-9]{14}", number):
        return None
    return number if sum(int(n) * (15 - at) for at, n in enumerate(number)) % 11 == 0 else None


def uy_ci(value: str, _: str | None) -> str | None:
    """Uruguay's cédula: six or seven digits and a check digit; the sum, weighted 2987634, is a multiple of 10.

    Equal to the weights 8123476 of https://ciuy.readthedocs.io/es/stable/about.html, where the last digit of the sum is
    the check digit.
    """
    number = fold_number(value)
    if not re.fullmatch("[0-9]{7,8}", number):
        return None
    digits = [int(n) for n in number.zfill(8)]
    total = sum(weight * n for weight, n in zip(_UY_WEIGHTS, digits, strict=False)) + digits[-1]
    return number if total % 10 == 0 else None


def mx_curp(value: str, _: str | None) -> str | None:
    """Mexico's CURP: eighteen characters, the last one is a check digit."""
    number = fold_number(value)
    return number if _CURP.match(number) and _stdnum("mx.curp").calc_check_digit(number) == number[-1] else None


def pe_dni(value: str, digit: str | None) -> str | None:
    """Peru's DNI: eight digits. The card's check character may follow; it is not part of the number."""
    number = fold_number(value) + fold_number(digit or "")
    if not re.fullmatch("[0-9]{8}[0-9A-K]?", number):
        return None
    return number[:8] if _stdnum("pe.cui").is_valid(number) else None


def ec_cedula(value: str, _: str | None) -> str | None:
    """Ecuador's cédula: ten digits, the last one is a check digit."""
    number = fold_number(value)
    return number if re.fullmatch("[0-9]{10}", number) and _stdnum("ec.ci").is_valid(number) else None


def nine_digits(value: str, _: str | None) -> str | None:
    """Nine digits without a check digit."""
    number = fold_number(value)
    return number if re.fullmatch("[0-9]{9}", number) else None


CHECKS: dict[str, Check] = {
    "br-cns": br_cns,
    "br-cpf": br_cpf,
    "cl-run": cl_run,
    "ec-cedula": ec_cedula,
    "mx-curp": mx_curp,
    "pe-dni": pe_dni,
    "us-ssn": nine_digits,
    "uy-ci": uy_ci,
}
"""The checks by the names that rules use in `check`."""
