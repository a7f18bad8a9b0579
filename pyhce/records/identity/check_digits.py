"""Check digits of national numbers: is a number one that its country can have given?

A function gets the identifier's value, and the check digit where it is sent apart; it returns the number with its check
digit, None if the number cannot be. What cannot be told for certain is None too: a wrong guess puts a person into the
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
    """python-stdnum's module of a kind of number; imported with the first of these, as few programs meet them all."""
    return import_module(f"stdnum.{name}")


def cl_run(value: str, digit: str | None) -> str | None:
    """Chile's RUN: seven or eight digits, then a digit or K by modulo 11.

    The digit is after the last hyphen (`15.236.327-3`), the ninth character (`152363273`), a K, or sent apart, as the
    guide of the Ministerio de Salud's Estándares de Información has it. `15236327` alone may be a number without its
    digit, or 1.523.632-7: which one cannot be told.
    """
    text, apart = fold_number(value), fold_number(digit or "")
    inside = value.strip()[-2:-1] in HYPHENS or len(text) == 9 or text.endswith("K")
    if not inside and not apart:
        return None
    number = text if inside else text + apart
    if not number.isascii() or (apart and number[-1:] != apart) or not re.fullmatch(r"[0-9]{7,8}[0-9K]", number):
        return None
    return number if _stdnum("cl.rut").is_valid(number) else None


def br_cpf(value: str, _: str | None) -> str | None:
    """Brazil's CPF: eleven digits, of which two check the others."""
    number = fold_number(value)
    return number if re.fullmatch("[0-9]{11}", number) and _stdnum("br.cpf").is_valid(number) else None


def br_cns(value: str, _: str | None) -> str | None:
    """Brazil's Cartão Nacional de Saúde: fifteen digits whose sum, weighted 15 to 1, is a multiple of 11.

    Those that begin with 1 or 2 are made of an eleven-digit PIS, three digits (000, or 001 where the check digit would
    be 10, which makes it 8) and the check digit; those that begin with 7, 8 or 9 have any digits. The rule is that of
    e-SUS APS: https://github.com/laboratoriobridge/esusab-integracao, documentacao/regras/algoritmo_CNS.md
    """
    number = fold_number(value)
    if not re.fullmatch("[12][0-9]{10}00(0[0-9]|18)|[789][0-9]{14}", number):
        return None
    return number if sum(int(n) * (15 - at) for at, n in enumerate(number)) % 11 == 0 else None


def uy_ci(value: str, _: str | None) -> str | None:
    """Uruguay's cédula: six or seven digits and one that brings the sum, weighted 2987634, to a multiple of 10.

    The same as the weights 8123476 of https://ciuy.readthedocs.io/es/stable/about.html, where the sum's last digit is
    the check digit.
    """
    number = fold_number(value)
    if not re.fullmatch("[0-9]{7,8}", number):
        return None
    digits = [int(n) for n in number.zfill(8)]
    total = sum(weight * n for weight, n in zip(_UY_WEIGHTS, digits, strict=False)) + digits[-1]
    return number if total % 10 == 0 else None


def mx_curp(value: str, _: str | None) -> str | None:
    """Mexico's CURP: eighteen characters, the last one a check digit."""
    number = fold_number(value)
    return number if _CURP.match(number) and _stdnum("mx.curp").calc_check_digit(number) == number[-1] else None


def pe_dni(value: str, digit: str | None) -> str | None:
    """Peru's DNI: eight digits; the check character of the card may follow, and is no part of the number."""
    number = fold_number(value) + fold_number(digit or "")
    if not re.fullmatch("[0-9]{8}[0-9A-K]?", number):
        return None
    return number[:8] if _stdnum("pe.cui").is_valid(number) else None


def ec_cedula(value: str, _: str | None) -> str | None:
    """Ecuador's cédula: ten digits, the last one checks the others."""
    number = fold_number(value)
    return number if re.fullmatch("[0-9]{10}", number) and _stdnum("ec.ci").is_valid(number) else None


def nine_digits(value: str, _: str | None) -> str | None:
    """Nine digits, with nothing that checks them."""
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
"""By the name that a rule gives in `check`."""
