"""The trainer and a policy: what is learned is flown, and a refusal is reported."""

import dataclasses
from pathlib import Path
import time

from depth_camera import Camera, COLOURS, SOUND
from listener import wait_until
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.parameter import Parameter

from rapid_nav.agent.checkpoint import load, save
from rapid_nav.drone.transition_assembler import Trajectory
from rapid_nav.nodes.trainer import Trainer


class TrainerAndPolicy:
    """A trainer beside a policy that is shown images all the time."""

    def __init__(self, ros, checkpoint: Path, out: Path, task: str = 'drone') -> None:
        self.seen, topic = {'drone': (SOUND, 'camera/depth'), 'pedra': (COLOURS, 'camera/image')}[
            task
        ]
        self.camera = Camera(
            ros,
            checkpoint,
            topic,
            self.seen,
            out=out,
            learning_starts=10,
            offer_seconds=0.5,
            keep=100,
            task=task,
        )
        self.trainer, running = Trainer(), self.camera.running
        running.spin(self.trainer)
        running.run(lambda: self.trainer.learner.run(rclpy.ok))
        running.run(self.show_images)
        wait_until(lambda: '/rapid' in self.trainer.drones)

    def show_images(self) -> None:
        """Show images ten times a second, no two alike in a row: a frozen camera is refused."""
        shift = 0
        while rclpy.ok():
            shift += 1
            self.camera.show(np.roll(self.seen, shift, axis=1))
            time.sleep(0.1)

    def flown(self) -> int:
        """Return the weights that decided last."""
        return self.camera.levels[-1].weights if self.camera.levels else 0

    def learn(self) -> None:
        """Hand the trainer something to learn from."""
        rng = np.random.default_rng(0)
        self.trainer.learner.add(
            Trajectory(
                '/rapid',
                rng.integers(0, 255, (60, *self.frame)).astype(np.uint8),
                rng.integers(25, size=59),
                rng.random(59).astype(np.float32),
                True,
                0,
            )
        )

    @property
    def frame(self) -> tuple[int, ...]:
        """The shape of what the policy sees of an image (c, h, w)."""
        about = self.trainer.task.observation
        return about.channels, about.height, about.width

    def set(self, **values) -> None:
        """Set parameters of the trainer."""
        client = self.camera.node.create_client(SetParameters, 'trainer/set_parameters')
        assert client.wait_for_service(10)
        wait_until(
            client.call_async(
                SetParameters.Request(
                    parameters=[
                        Parameter(name, value=value).to_parameter_msg()
                        for name, value in values.items()
                    ]
                )
            ).done
        )


@pytest.mark.parametrize('task', ['drone', 'pedra'])
def test_what_is_learned_is_flown_unless_somebody_goes_back(
    ros, request: pytest.FixtureRequest, tmp_path: Path, task: str
) -> None:
    begun = request.getfixturevalue('checkpoint' if task == 'drone' else task)
    pair = TrainerAndPolicy(ros, begun, tmp_path, task)
    learner = pair.trainer.learner
    wait_until(lambda: learner.latest and pair.flown() == learner.latest.checkpoint_id)
    first = learner.latest
    assert pair.camera.policy.config.epsilon == 1.0  # nothing is learned yet
    pair.learn()
    wait_until(lambda: learner.latest.updates > 0 and pair.flown() == learner.latest.checkpoint_id)
    pair.set(offering=False)
    assert pair.camera.set(checkpoint=str(first.path)) == ''
    time.sleep(2.5)  # the trainer looks after its drones every second
    assert pair.flown() == first.checkpoint_id
    pair.set(offering=True)
    wait_until(lambda: pair.flown() == learner.latest.checkpoint_id)


def test_a_policy_of_another_task_refuses_and_the_trainer_says_why(
    ros, checkpoint: Path, tmp_path: Path
) -> None:
    made = load(checkpoint)
    other = {**made.task, 'observation': {**made.task['observation'], 'half_depth': 7.0}}
    save(tmp_path / 'other.safetensors', dataclasses.replace(made, task=other))
    pair = TrainerAndPolicy(ros, tmp_path / 'other.safetensors', tmp_path / 'out')
    wait_until(lambda: 'another task' in pair.trainer.drones['/rapid'].refused)
    wait_until(
        lambda: any(
            'refuses' in item.key and 'another task' in item.value
            for message in pair.camera.diagnostics
            for item in message.status[0].values
        )
    )
