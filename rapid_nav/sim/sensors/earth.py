"""The round Earth around AirSim's home: geographic positions, air and magnetic field."""

import math
from typing import Any

import numpy as np

from rapid_nav.sim.rpc.msgpack_codec import Double

RADIUS = 6378137.0  # [m]
GRAVITY = 9.80665  # [m/s^2]
SEA_LEVEL_PRESSURE = 101325.0  # [Pa]
_POLE_LATITUDE, _POLE_LONGITUDE = math.radians(80.31), math.radians(-72.62)  # magnetic
_MEAN_FIELD = 3.12e-5  # [T]
_GAUSS_PER_TESLA = 1e4

Geo = tuple[float, float, float]  # latitude [deg], longitude [deg], altitude [m]


def to_geo(ned: np.ndarray, home: Geo) -> Geo:
    """Return the place at NED (3,) [m] of home, on a sphere."""
    north, east, down = (float(v) for v in ned)
    x, y = north / RADIUS, east / RADIUS
    away = math.hypot(x, y)
    if away < 1e-15:
        return home[0], home[1], home[2] - down
    lat0 = math.radians(home[0])
    latitude = math.asin(
        math.cos(away) * math.sin(lat0) + x * math.sin(away) * math.cos(lat0) / away
    )
    turn = math.atan2(
        y * math.sin(away),
        away * math.cos(lat0) * math.cos(away) - x * math.sin(lat0) * math.sin(away),
    )
    return math.degrees(latitude), home[1] + math.degrees(turn), home[2] - down


def to_ned(geo: Geo, home: Geo) -> np.ndarray:
    """Return NED (3,) [m] of home of a place: the inverse of to_geo."""
    lat, lat0 = math.radians(geo[0]), math.radians(home[0])
    turn = math.radians(geo[1] - home[1])
    cos_away = math.sin(lat0) * math.sin(lat) + math.cos(lat0) * math.cos(lat) * math.cos(turn)
    north = math.cos(lat0) * math.sin(lat) - math.sin(lat0) * math.cos(lat) * math.cos(turn)
    east = math.cos(lat) * math.sin(turn)
    sin_away = math.hypot(north, east)
    scale = math.atan2(sin_away, cos_away) / sin_away if sin_away > 1e-15 else 1.0
    return np.array([north * scale * RADIUS, east * scale * RADIUS, home[2] - geo[2]])


def geo_point(geo: Geo) -> dict[str, Any]:
    """Return AirSim's GeoPoint."""
    return {'latitude': Double(geo[0]), 'longitude': Double(geo[1]), 'altitude': float(geo[2])}


def air(altitude: float) -> tuple[float, float, float]:
    """Return pressure [Pa], temperature [K] and density [kg/m^3], up to 11 km."""
    kilometres = RADIUS * altitude / (RADIUS + altitude) / 1000
    temperature = 288.15 - 6.5 * min(max(kilometres, -20.0), 11.0)
    pressure = SEA_LEVEL_PRESSURE * (288.15 / temperature) ** -5.255877
    return pressure, temperature, pressure / 287.053 / temperature


def pressure_altitude(pressure: float) -> float:
    """Return what an altimeter shows [m] at a pressure [Pa]."""
    share = math.pow(max(pressure, 0.0) / SEA_LEVEL_PRESSURE, 0.190284)
    return (1 - share) * 145366.45 * 0.3048


def magnetic_field(geo: Geo) -> np.ndarray:
    """Return the field (3,) [gauss; NED] of a dipole Earth, as AirSim computes it."""
    lat, lon = math.radians(geo[0]), math.radians(geo[1]) - _POLE_LONGITUDE
    sin_pole, cos_pole = math.sin(_POLE_LATITUDE), math.cos(_POLE_LATITUDE)
    cos_colatitude = math.cos(lat) * cos_pole + math.sin(lat) * sin_pole * math.cos(lon)
    colatitude = math.acos(_unit(cos_colatitude))
    strength = (
        _MEAN_FIELD
        * (RADIUS / (geo[2] + RADIUS)) ** 3
        * math.sqrt(1 + 3 * cos_colatitude**2)
        * _GAUSS_PER_TESLA
    )
    leading = math.sin(lon) if cos_colatitude > sin_pole * math.sin(lat) else math.cos(lon)
    declination = math.asin(_unit(leading * cos_pole / math.sin(colatitude)))
    inclination = math.atan(2 / math.tan(colatitude))
    level = strength * math.cos(inclination)
    return np.array(
        [
            level * math.cos(declination),
            level * math.sin(declination),
            strength * math.sin(inclination),
        ]
    )


def _unit(value: float) -> float:
    return min(max(value, -1.0), 1.0)
