"""The trainer: hears drones fly, learns from it, and offers them what it has learned."""

from dataclasses import dataclass
import gc
import logging
import os
import re

from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from rapid_nav.agent.config import AgentConfig
from rapid_nav.drone.online_config import LessonConfig
from rapid_nav.drone.task import TASKS
from rapid_nav.drone.transition_assembler import Join
from rapid_nav.nodes.learning.drone_client import Pilot
from rapid_nav.nodes.learning.evaluator import Evaluation
from rapid_nav.nodes.learning.learner import Study
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.spin import run
from rapid_nav.options import check, setting

DECISIONS = 'rapid_nav/msg/ExitLevel'


@dataclass(frozen=True)
class TrainerConfig(LessonConfig):
    """Whom the trainer hears, and what it does for them."""

    drones: str = setting(
        '', 'Namespaces, separated by commas; if empty, everybody who publishes exit_level.'
    )
    most: int = setting(16, 'So many drones are heard, at most.', low=1, high=1000)
    offering: bool = setting(
        True, 'The policies are given checkpoints; off, say, while one of them is rolled back.'
    )
    nice: int = setting(10, 'The learner runs at this niceness.', low=0, high=19)
    evaluate: int = setting(
        0, 'Each evaluation in the embedded simulator takes so many flights; 0 makes none.', low=0
    )

    def __post_init__(self) -> None:
        check(self)
        wrong = [
            name
            for name in self.drones.split(',')
            if name and not re.fullmatch(r'/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', name)
        ]
        if wrong:
            raise ValueError(f'drones: {wrong[0]!r} is no namespace; write drone0,drone1')


class Trainer(Node):
    """Joins what its pilots hear and hands it to `study`, which learns in another thread."""

    def __init__(self) -> None:
        super().__init__('trainer')
        self.config = declare(self, TrainerConfig, live=('offering',), accept=self.accept)
        self.task = TASKS[self.config.task]
        self.study = Study(self.config, self.task, AgentConfig())
        self.join = Join(self.task.observation.history)
        self.pilots: dict[str, Pilot] = {}
        self.evaluation = Evaluation(self.config.evaluate)
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        for name in filter(None, self.config.drones.split(',')):
            self.welcome(self.full_name(name))
        # Drones that come are looked for, and those that are there told, by the wall's clock.
        self.create_timer(1.0, self.tend, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def accept(self, config: TrainerConfig) -> None:
        """Begin or cease to offer checkpoints."""
        self.config = config

    def full_name(self, drone: str) -> str:
        """Return a drone's namespace from the root."""
        return drone if drone.startswith('/') else f'{self.get_namespace().rstrip("/")}/{drone}'

    def welcome(self, drone: str) -> None:
        """Hear one more drone."""
        if drone not in self.pilots and len(self.pilots) < self.config.most:
            self.pilots[drone] = Pilot(self, self.join.drone(drone), self.task, self.study.hear)
            self.get_logger().info(f'Hearing {drone}')

    def tend(self) -> None:
        """Look for new drones, tell all what to fly by, and say how it goes."""
        if not self.config.drones:
            for topic, kinds in self.get_topic_names_and_types():
                if DECISIONS in kinds and topic.endswith('/exit_level'):
                    self.welcome(topic.removesuffix('/exit_level'))
        offer = self.study.latest
        for pilot in self.pilots.values():
            if pilot.gone:
                for stretch in pilot.join.flush():  # it may never come back
                    self.study.hear(stretch)
            elif offer and self.config.offering:
                pilot.tell(offer, self.study.pupil.epsilon)
        if offer:
            self.evaluation.turn(offer.path)
        self.study.extra = {'lost_share': self.join.lost_share(), **self.evaluation.figures}
        self.diagnose()

    def diagnose(self) -> None:
        """Publish how learning goes, what was lost in the join, and who flies what."""
        offer, drones = self.study.latest, {}
        for name, pilot in self.pilots.items():
            drones[f'{name} weights'] = 'gone' if pilot.gone else pilot.checkpoint_id
            if pilot.refused:
                drones[f'{name} refuses'] = pilot.refused
        figures = {name: f'{value:.6g}' for name, value in self.study.summary().items()}
        self.diagnostics.publish(
            conversions.diagnostics(
                self.get_clock().now().to_msg(),
                self.get_fully_qualified_name(),
                '',
                {
                    'transitions': self.study.pupil.step,
                    **self.join.counts(),
                    **figures,
                    'offered': f'{offer.path.name} ({offer.checkpoint_id})'
                    if offer
                    else 'nothing yet',
                    **drones,
                },
            )
        )

    def destroy_node(self) -> None:
        """End the evaluation that is being flown, too."""
        self.evaluation.end()
        super().destroy_node()


def work(trainer: Trainer) -> None:
    """Learn until told to stop."""
    os.nice(trainer.config.nice)
    trainer.study.run(rclpy.ok)


def main() -> int:
    """Train whoever flies until told to stop."""
    logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')
    status = run(Trainer, work)
    # All is saved. To collect what PyTorch leaves behind takes longer than who waits would wait.
    gc.freeze()
    return status
