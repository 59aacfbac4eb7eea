"""The trainer: learns from drones that fly, and offers them what it has learned."""

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
from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.online_config import OnlineConfig
from rapid_nav.drone.task import TASKS
from rapid_nav.drone.transition_assembler import TransitionAssembler
from rapid_nav.nodes.learning.drone_client import DroneClient
from rapid_nav.nodes.learning.evaluator import Evaluator
from rapid_nav.nodes.learning.learner import OnlineLearner
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.spin import run
from rapid_nav.options import setting

DECISIONS = 'rapid_nav/msg/ExitLevel'


@dataclass(frozen=True)
class TrainerConfig(OnlineConfig):
    """Which drones the trainer learns from, and what it does beside."""

    drones: str = setting(
        '', 'Namespaces, separated by commas; if empty, of all publishers of exit_level.'
    )
    most: int = setting(16, 'Largest number of drones.', low=1, high=1000)
    offering: bool = setting(
        True, 'Policies get new checkpoints; turn it off while one of them is rolled back.'
    )
    nice: int = setting(10, 'Niceness of the process.', low=0, high=19)
    evaluate: int = setting(
        0, 'Flights of each evaluation in the embedded simulator; 0 evaluates nothing.', low=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        wrong = [
            name
            for name in self.drones.split(',')
            if name and not re.fullmatch(r'/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', name)
        ]
        if wrong:
            raise ValueError(f'drones: {wrong[0]!r} is no namespace; write drone0,drone1')


class Trainer(Node):
    """Connects drones with an online learner, which runs in another thread."""

    def __init__(self) -> None:
        super().__init__('trainer')
        self.config = declare(self, TrainerConfig, live=('offering',), accept=self.accept)
        self.task = TASKS[self.config.task]
        self.learner = OnlineLearner(self.config, self.task, AgentConfig())
        self.learner.__enter__()
        self.assembler = TransitionAssembler(
            self.task.observation.history, ActionGrid(self.task.actions).num_actions
        )
        self.drones: dict[str, DroneClient] = {}
        self.evaluator = Evaluator(self.config.evaluate)
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        for name in filter(None, self.config.drones.split(',')):
            self.add_drone(self.full_name(name))
        # By the wall's clock: each drone's simulator may have a time of its own.
        self.create_timer(1.0, self.update, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def accept(self, config: TrainerConfig) -> None:
        """Start or stop to offer checkpoints."""
        self.config = config

    def full_name(self, drone: str) -> str:
        """Return a drone's namespace from the root."""
        return drone if drone.startswith('/') else f'{self.get_namespace().rstrip("/")}/{drone}'

    def add_drone(self, name: str) -> None:
        """Subscribe to one more drone, up to the largest number."""
        if name not in self.drones and len(self.drones) < self.config.most:
            self.drones[name] = DroneClient(
                self, self.assembler.drone(name), self.task, self.learner.add
            )
            self.get_logger().info(f'Learning from {name}')

    def update(self) -> None:
        """Look for new drones, offer the latest checkpoint, and publish diagnostics."""
        if not self.config.drones:
            for topic, kinds in self.get_topic_names_and_types():
                if DECISIONS in kinds and topic.endswith('/exit_level'):
                    self.add_drone(topic.removesuffix('/exit_level'))
        offer = self.learner.latest
        for drone in self.drones.values():
            if drone.gone:
                for trajectory in drone.assembler.flush():  # it may never come back
                    self.learner.add(trajectory)
            elif offer and self.config.offering:
                drone.offer(offer, self.learner.trainer.epsilon)
        if offer:
            self.evaluator.update(offer.path)
        self.learner.extra = {'lost_share': self.assembler.lost_share(), **self.evaluator.figures}
        self.diagnose()

    def diagnose(self) -> None:
        """Publish the learner's figures, the assembler's counts, and each drone's checkpoint."""
        offer, drones = self.learner.latest, {}
        for name, drone in self.drones.items():
            drones[f'{name} weights'] = 'gone' if drone.gone else drone.checkpoint_id
            if drone.refused:
                drones[f'{name} refuses'] = drone.refused
        figures = {name: f'{value:.6g}' for name, value in self.learner.summary().items()}
        self.diagnostics.publish(
            conversions.diagnostics(
                self.get_clock().now().to_msg(),
                self.get_fully_qualified_name(),
                self.learner.fault,
                {
                    'transitions': self.learner.trainer.step,
                    **self.assembler.counts(),
                    **figures,
                    'offered': f'{offer.path.name} ({offer.checkpoint_id})'
                    if offer
                    else 'nothing yet',
                    **drones,
                },
            )
        )

    def destroy_node(self) -> None:
        """Stop the evaluator, and unlock the folder."""
        self.evaluator.end()
        self.learner.__exit__()
        super().destroy_node()


def learn(trainer: Trainer) -> None:
    """Learn until told to stop."""
    os.nice(trainer.config.nice)
    trainer.learner.run(rclpy.ok)


def main() -> int:
    """Learn from all that fly until told to stop."""
    logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')
    status = run(Trainer, learn)
    # All is saved. PyTorch's clean-up would take longer than a supervisor waits.
    gc.freeze()
    return status
