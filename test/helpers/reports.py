"""A report of every kind, as the commands write them."""

import dataclasses

from rapid_nav.drone.flight_stats import Percentiles
from rapid_nav.offline.reporting.kinds import (
    AtariEvaluation,
    AtariRow,
    BudgetRow,
    Calibrated,
    Calibration,
    CalibrationCheck,
    DeadlineRow,
    DeadlineTimes,
    DroneEvaluation,
    DroneRow,
    ExitControlBenchmark,
    ExitTime,
    ExitTrainingComparison,
    FleetTraining,
    Flight,
    FlightTime,
    FlownRow,
    GameMean,
    IntegerFlights,
    LatencyBenchmark,
    Lead,
    Report,
    RuntimeBenchmark,
    RuntimeRow,
    Score,
    SettingsComparison,
    SimulatorBenchmark,
    Summary,
    ThreadTimes,
    Trained,
    TrainingBenchmark,
)


def drone_row(name: str, ratio: float, metres: float, **more: object) -> DroneRow:
    """Return a row of the drone's evaluation in two worlds."""
    return DroneRow(
        name=name,
        macs_ratio=ratio,
        macs_vs_nature=ratio / 10,
        exit_shares=(0.7, 0.2, 0.1),
        msf_m=metres,
        msf_ci95=(metres - 5, metres + 4),
        coverage=0.4,
        cap_share=0.3,
        by_world={'corridor': metres, 'forest': metres / 2},
        exit_shares_by_world={'corridor': (0.9, 0.1, 0.0), 'forest': (0.5, 0.3, 0.2)},
        distances_m=(metres - 1, metres + 1),
        **more,
    )


def atari_row(name: str, ratio: float, score: float) -> AtariRow:
    """Return a row of a game's evaluation."""
    return AtariRow(
        name=name,
        macs_ratio=ratio,
        exit_shares=(0.8, 0.2),
        score=score,
        score_ci95=(score - 2, score + 2),
        decisions=1000,
        score_vs_baseline=0.95,
    )


DRONE = DroneEvaluation(
    flights=40,
    cap_m=100.0,
    worlds=('corridor', 'forest'),
    seed_base=10_000,
    checkpoint='drone.safetensors',
    points=(
        drone_row('balanced', 0.12, 55.0, regret=0.004, regret_macs_ratio=0.12),
        drone_row('full', 1.0, 57.0),
        drone_row('threshold 0.5', 0.06, 50.0),
    ),
    controls=(
        drone_row(
            'random exits', 0.12, 40.0, behind=Lead(of='balanced', m=15.0, ci95=(9.0, 21.0))
        ),
    ),
    baseline=drone_row('baseline', 1.0, 56.0),
)
ATARI = AtariEvaluation(
    game='pong',
    protocol='nature',
    protocol_about='no-op starts',
    episodes=30,
    seed=10_000,
    checkpoint='pong.safetensors',
    trained=Trained(preset='fast', steps=850_000, updates=200_000, seed=0),
    random=Score(score=-20.0, score_ci95=(-21.0, -19.0)),
    points=(atari_row('balanced', 0.2, 15.0), atari_row('full', 1.0, 16.0)),
    baseline=atari_row('baseline', 1.0, 16.0),
)
TIMES = ThreadTimes(
    runtime='onnx',
    exits=tuple(
        ExitTime(level=n, macs_ratio=r, ms_p50=r, ms_p99=1.5 * r, time_ratio=r)
        for n, r in enumerate((0.1, 0.4, 1.0))
    ),
    idle_ms_p50=0.1,
    idle_ms_p99=0.2,
    eager_full_ms=3.0,
    plain_ms=0.8,
    fall_through_ratio=1.1,
    fall_through_macs_ratio=1.05,
    flight=FlightTime(
        operating_point='balanced',
        decisions=300,
        macs_ratio=0.1,
        mean_ms=0.3,
        mean_time_ratio=0.2,
        interrupted_time_ratio=0.25,
    ),
)
LATENCY = LatencyBenchmark(
    checkpoint=None,
    calls=2000,
    threads={'1': TIMES, '2': dataclasses.replace(TIMES, flight=None)},
    image_to_command_ms=Percentiles(3.0, 9.0),
    rpc_depth_ms=3.5,
    full_path_ms=Percentiles(1.0, 2.0),
)
SUMMARY = Summary(
    interquartile_mean=0.9,
    ci95=(0.8, 1.0),
    by_game={'breakout': GameMean(mean=0.9, ci95=(0.8, 1.0))},
)
MODES = ExitTrainingComparison(
    config={'steps': 400, 'games': ['breakout']},
    budget=0.34,
    plain={'breakout': 10.0},
    modes={
        mode: dict.fromkeys(
            (
                'learned',
                'random',
                'exit 0 alone',
                'full path',
                'macs_ratio',
                'gain over random',
                'of its full path',
            ),
            SUMMARY,
        )
        for mode in ('rapid', 'joint')
    },
)
FLIGHT = Flight(
    world='rooms',
    seed=7,
    lockstep=True,
    checkpoint='drone.safetensors',
    duration_s=60.0,
    flights=2,
    distance_m=(80.0, 30.5),
    coverage=0.9,
    collisions=1,
    decisions=600,
    exit_shares=(0.9, 0.1),
    macs_ratio=0.1,
    latency_ms=Percentiles(4.0, None),
    image_rate_hz=9.8,
    dropped_images=0,
    status='failed',
    reason='policy ended with status -9',
)
_IN_TIME = DeadlineRow(
    decisions=400, inside=0.99, ms=Percentiles(1.0, 2.0), exit_shares=(0.5, 0.5)
)
_FLOWN = FlownRow(msf_m=50.0, msf_ci95=(45.0, 55.0), macs_ratio=0.1)

EXAMPLES: dict[str, Report] = {
    report.kind: report
    for report in (
        DRONE,
        ATARI,
        LATENCY,
        MODES,
        FLIGHT,
        SettingsComparison(
            config={'steps': 400},
            scores={'plain': {'breakout': (3.0, 4.0)}},
            changes={'one-step': SUMMARY},
        ),
        Calibration(
            method='Learn then Test',
            loss='regret',
            unit='flight',
            risk=0.05,
            confidence=0.95,
            cap_m=100.0,
            seed_base=30_000,
            calibrated=Calibrated(thresholds=(0.8,), loss=0.03, p_value=0.01, units=200, tried=12),
            fresh=CalibrationCheck(
                flights=40, seed_base=40_000, loss=0.04, kept=True, macs_ratio=0.2, msf_m=60.0
            ),
        ),
        RuntimeBenchmark(
            checkpoint='drone.safetensors',
            calls=2000,
            runtimes=(
                RuntimeRow(
                    runtime='ONNX', first_exit_ms=0.02, full_ms=0.2, worst_q=1e-6, agreement=1.0
                ),
            ),
            int8_flights=IntegerFlights(
                operating_point='balanced', flights=8, float32=_FLOWN, int8=_FLOWN
            ),
        ),
        ExitControlBenchmark(
            checkpoint='drone.safetensors',
            scenes=('corridor', 'rooms'),
            budgets=(BudgetRow(budget=0.1, mean=0.1, deep=0.02, worst_off_after_200=None),),
            deadline=DeadlineTimes(
                deadline_ms=10.0, rate_hz=20.0, busy_processes=2, idle=_IN_TIME, loaded=_IN_TIME
            ),
        ),
        SimulatorBenchmark(
            depth_84_ms=0.2, embree_84_ms=1.3, speedup=6.5, agreement=0.9999, env_step_ms=0.5
        ),
        TrainingBenchmark(
            task='drone',
            ours_steps_s=119.0,
            sb3_steps_s=60.0,
            ours_collect_steps_s=2000.0,
            sb3_collect_steps_s=500.0,
            ratio=1.98,
            collect_ratio=4.0,
            turns={'ours': (119.0,), 'sb3': (60.0,)},
            batch_size=32,
            steps_per_update=4,
            threads=2,
        ),
        FleetTraining(figures={'step': 1000.0, 'return': None}),
    )
}
