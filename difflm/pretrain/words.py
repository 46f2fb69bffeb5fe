"""Names and categories that generated tables draw from, beside words of the reference texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

MOST_WORDS = 6000
_PHRASE = re.compile(r"(?!Copyright)[A-Z][^\n]{10,80}\.")
_WORD = re.compile(r"(?<![\w.])[a-z]{3,12}(?![\w.(])")


class Lexicon(NamedTuple):
    """Words in order of frequency, and whole lines to quote from."""

    words: tuple[str, ...]
    phrases: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Lexicon:
        """The most frequent words of `texts`, and their short lines that are plain sentences."""
        tally: Counter[str] = Counter()
        phrases: dict[str, None] = {}
        for text in texts:
            tally.update(_WORD.findall(text))
            if len(phrases) < MOST_WORDS:
                lines = (line.strip() for line in text.splitlines()[:3])
                phrases |= {line: None for line in lines if _PHRASE.fullmatch(line)}
        order = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
        words = tuple(word for word, _ in order[:MOST_WORDS])
        return cls(words or FALLBACK, tuple(phrases) or FALLBACK)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


FALLBACK = _listed("alpha, beta, gamma, delta, stone, river, field, light, paper, house, table, music")

FIRST_NAMES = _listed(
    "Ada, Ahmed, Aiko, Alejandro, Amara, Anna, Anton, Beatriz, Bo, Carlos, Chen, Chloé, Daniel, "
    "David, Dmitri, Elena, Emma, Fatima, Felix, Gabriel, Grace, Hannah, Hugo, Ines, Ivan, James, Jan, "
    "Joana, José, Julia, Jürgen, Kai, Karim, Laura, Leila, Li, Liam, Lucía, Luka, Maria, Marie, "
    "Mateo, Mei, Mohammed, Nadia, Nina, Noah, Olga, Oliver, Omar, Paul, Petra, Priya, Rafael, Ravi, "
    "Rosa, Sakura, Samuel, Sara, Sofia, Søren, Tariq, Tomás, Ursula, Viktor, Wei, Yara, Yusuf, Zoë, "
    "Łukasz"
)
LAST_NAMES = _listed(
    "Adeyemi, Ali, Andersen, Bauer, Bianchi, Brown, Castro, Chen, Costa, Díaz, Dubois, Evans, "
    "Fischer, García, Haddad, Hansen, Ivanova, Jansen, Johansson, Jones, Kaya, Khan, Kim, Kowalski, "
    "Kumar, Larsen, Lee, López, Martin, Meyer, Mori, Müller, Nakamura, Nguyen, Novak, O'Brien, "
    "Okafor, Papadopoulos, Patel, Petrov, Rossi, Santos, Sato, Schmidt, Silva, Singh, Smith, Suzuki, "
    "Taylor, Tanaka, Tremblay, Wagner, Wang, Weber, Williams, Wójcik, Yılmaz, Zhang"
)
CITIES = _listed(
    "Accra, Almaty, Athens, Auckland, Bangkok, Berlin, Bogotá, Brno, Cairo, Cape Town, Chennai, "
    "Córdoba, Dakar, Denver, Dublin, Genève, Graz, Hanoi, Helsinki, Istanbul, Kraków, Kyoto, Lagos, "
    "Lima, Lisbon, London, Lyon, Madrid, Malmö, Manila, Milano, Montréal, Mumbai, München, Nairobi, "
    "New York, Osaka, Oslo, Paris, Porto, Prague, Quito, Riga, Rome, San Francisco, São Paulo, Seoul, "
    "Shanghai, Sydney, Tallinn, Toronto, Tunis, Utrecht, Vienna, Warsaw, Zürich"
)
COUNTRIES = _listed(
    "Argentina, Australia, Austria, Bangladesh, Belgium, Brazil, Canada, Chile, China, Colombia, Côte "
    "d'Ivoire, Czechia, Denmark, Egypt, Estonia, Ethiopia, Finland, France, Georgia, Germany, Ghana, "
    "Greece, India, Indonesia, Ireland, Italy, Japan, Kenya, Latvia, Malaysia, Mexico, Morocco, "
    "Netherlands, New Zealand, Nigeria, Norway, Pakistan, Peru, Poland, Portugal, Romania, Senegal, "
    "South Africa, South Korea, Spain, Sweden, Switzerland, Thailand, Türkiye, Ukraine, United "
    "Kingdom, United States, Uruguay, Vietnam"
)
SETS = tuple(
    map(
        _listed,
        (
            "low, medium, high",
            "small, medium, large, extra large",
            "S, M, L, XL",
            "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
            "Mon, Tue, Wed, Thu, Fri, Sat, Sun",
            "Jan, Feb, Mar, Apr, May, Jun, Jul, Aug, Sep, Oct, Nov, Dec",
            "spring, summer, autumn, winter",
            "red, green, blue, yellow, black, white, orange, purple, grey",
            "north, south, east, west",
            "N, NE, E, SE, S, SW, W, NW",
            "Q1, Q2, Q3, Q4",
            "A, B, C, D, E, F",
            "A+, A, A-, B+, B, B-, C+, C, D, F",
            "A+, A-, B+, B-, AB+, AB-, O+, O-",
            "pending, processing, shipped, delivered, cancelled, returned",
            "open, in progress, blocked, closed",
            "success, error, timeout, skipped",
            "draft, review, published, archived",
            "cash, card, transfer, voucher",
            "bus, train, car, bicycle, on foot, plane",
            "sunny, cloudy, rain, snow, fog, storm",
            "cat, dog, horse, rabbit, fish, bird",
            "apple, banana, cherry, grape, mango, pear, plum",
            "wood, steel, glass, plastic, stone, paper",
            "debug, info, warning, error, critical",
            "GET, POST, PUT, PATCH, DELETE",
            "USD, EUR, GBP, JPY, CHF, INR, BRL",
            "en, de, fr, es, pt, zh, ja, hi, ar",
            "kg, g, mg, lb, oz",
            "bronze, silver, gold, platinum",
            "basic, plus, premium, enterprise",
            "very bad, bad, neutral, good, very good",
            "strongly disagree, disagree, agree, strongly agree",
            "never, rarely, sometimes, often, always",
            "Sales, Support, Finance, Legal, Research, Operations, HR",
            "sylvestris, palustris, vulgaris, alba, officinalis",
            "0-9, 10-19, 20-29, 30-39, 40-49, 50-59, 60+",
            "<10, 10-50, 50-100, >100",
            "child, teenager, adult, senior",
            "none, mild, moderate, severe",
            "str, int, float, bool, list",
            "α, β, γ, δ",
            "北, 南, 东, 西",
            "да, нет, не знаю",
        ),
    )
)
FLAGS = (
    ("Yes", "No"),
    ("yes", "no"),
    ("Y", "N"),
    ("True", "False"),
    ("T", "F"),
    ("M", "F"),
    ("male", "female"),
    ("on", "off"),
    ("pass", "fail"),
    ("win", "loss"),
    ("oui", "non"),
    ("sí", "no"),
)
NOUNS = {
    "integer": _listed(
        "age, count, quantity, year, floor, rooms, visits, score, rank, duration, days, hours, "
        "minutes, employees, stock, votes, points, views, likes, size, capacity, population, level, "
        "goals, pages, seats, mileage, calories, steps, retries, errors, items, weeks, position, "
        "index, bytes, port"
    ),
    "decimal": _listed(
        "price, weight, height, rate, ratio, temperature, speed, area, balance, latitude, longitude, "
        "humidity, share, tax, income, energy, distance, width, length, depth, volume, pressure, "
        "voltage, discount, margin, probability, loss, accuracy, amount, cost, revenue, profit, "
        "salary, fare, density, ph, angle, radius, mean, std"
    ),
    "category": _listed(
        "status, type, category, region, country, city, color, grade, level, gender, department, "
        "brand, language, currency, weather, weekday, season, channel, segment, plan, role, class, "
        "group, species, material, shape, source, method, payment, priority, severity, stage, unit, "
        "team, sector, model, format, state"
    ),
    "flag": _listed(
        "active, member, churn, has_children, paid, verified, enabled, deleted, is_new, owner, "
        "smoker, insured, married, subscribed, public, valid, urgent, available, outcome, target, "
        "label"
    ),
    "date": _listed(
        "date, created_at, updated_at, timestamp, birth_date, order_date, start, end, due, joined, "
        "last_login, time, opened, closed, expires, released, published, checked_in"
    ),
    "text": _listed(
        "name, title, description, comment, address, email, url, notes, summary, author, customer, "
        "company, product, street, path, message, query, text, phone, file, owner, host, token, "
        "reference, subject"
    ),
    "key": _listed("id, key, code, uuid, number, no, ref, sku, serial, record, user_id, order_id, account"),
}
PREFIXES = _listed(
    "total, avg, max, min, first, last, mean, net, gross, customer, order, product, user, item, home, "
    "work, old, new, base, daily, monthly, annual, main, local, raw, num"
)
