"""How long the simulator's camera and physics take, beside Embree doing the camera's part."""

from dataclasses import dataclass
from pathlib import Path
import statistics
import time

import numpy as np

from rapid_nav.drone.task import FlightTask
from rapid_nav.offline.drone.env import DroneVectorEnv
from rapid_nav.offline.reporting.kinds import SimulatorBenchmark
from rapid_nav.options import setting
from rapid_nav.sim.render.camera import render_depth
from rapid_nav.sim.render.views import slopes
from rapid_nav.sim.rotation_kernels import rotation_matrices
from rapid_nav.sim.worlds.generators import GENERATORS
from rapid_nav.sim.worlds.world import make_world, pack, World

SIDE, FOV = 84, np.pi / 2  # [px], [rad], of the frames that are timed
PRIMITIVES = 300  # at least, in the world that is timed
POSES = 200
TOLERANCE = 0.05  # [m], within which a pixel agrees
ENVIRONMENTS = 16
_ROUND_SECTIONS, _BALL_SUBDIVISIONS = 96, 4  # fine enough to be within millimetres


@dataclass(frozen=True)
class BenchConfig:
    """What `rapid-nav bench simulator` takes."""

    report: Path | None = setting(None, 'JSON file for the figures.')


def main(config: BenchConfig) -> int:
    """Measure, print and write the report."""
    figures = run()
    print(figures.to_json())
    figures.write(config.report)
    return 0


def run(poses: int = POSES) -> SimulatorBenchmark:
    """
    Return the medians of one frame, ours and Embree's, and of one training step.

    The agreement is the share of pixels within 5 cm over `poses` random poses in all generators;
    a training step is that of one of 16 environments that are stepped together.
    """
    ours, embree = depth_times(crowded_world(), poses)
    return SimulatorBenchmark(
        depth_84_ms=ours,
        embree_84_ms=embree,
        speedup=embree / ours,
        agreement=agreement(poses),
        env_step_ms=env_step_time(),
    )


def crowded_world() -> World:
    """Return the first world of rooms with enough primitives."""
    return next(
        world
        for world in (make_world('rooms', seed) for seed in range(1000))
        if len(world.primitives) >= PRIMITIVES
    )


class Embree:
    """A world as triangles in Embree, looked at through the same camera."""

    def __init__(self, world: World) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.scene = EmbreeScene()
        triangles = triangulate(world)
        self.meshes = TriangleMesh(self.scene, triangles.astype(np.float32))
        u, v = slopes(SIDE, SIDE, FOV)
        rays = np.stack(np.broadcast_arrays(np.float32(1), u[None, :], v[:, None]), axis=-1)
        self.rays = rays.reshape(-1, 3)  # one metre along the optical axis each

    def directions(self, orientation: np.ndarray) -> np.ndarray:
        """Return the pixels' rays in NED."""
        turn = rotation_matrices(orientation)[0].astype(np.float32)
        return np.ascontiguousarray(self.rays @ turn.T)

    def cast(self, position: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Return metres along the optical axis (H, W), about 1e37 for none."""
        origins = np.repeat(position[None].astype(np.float32), len(directions), axis=0)
        distance = self.scene.run(origins, directions, query='DISTANCE')
        return np.asarray(distance).reshape(SIDE, SIDE)


def triangulate(world: World) -> np.ndarray:
    """Return a world's surfaces as triangles (T, 3, 3) [m; NED]."""
    from trimesh import creation

    parts = []
    turns = rotation_matrices(np.array([p.orientation for p in world.primitives]))
    for primitive, turn in zip(world.primitives, turns, strict=True):
        size = np.array(primitive.size)
        if primitive.kind == 'box':
            mesh = creation.box(extents=size)
        elif primitive.kind == 'cylinder':
            mesh = creation.cylinder(radius=size[0] / 2, height=size[2], sections=_ROUND_SECTIONS)
        elif primitive.kind == 'sphere':
            mesh = creation.icosphere(subdivisions=_BALL_SUBDIVISIONS, radius=size[0] / 2)
        else:
            mesh = creation.box(extents=(2e3, 2e3, 1e-3))
        parts.append(mesh.triangles @ turn.T + np.array(primitive.position))
    return np.concatenate(parts)


def random_views(
    world: World, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return places (N, 3) near start poses and orientations (N, 4) of every kind."""
    places = world.start_poses[rng.integers(len(world.start_poses), size=count), :3]
    places = places + rng.uniform(-0.5, 0.5, places.shape)
    turns = rng.normal(size=(count, 4))
    return places, turns / np.linalg.norm(turns, axis=1, keepdims=True)


def depth_times(world: World, poses: int) -> tuple[float, float]:
    """Return the median [ms] of one frame: ours, Embree's, taken in turns."""
    places, turns = random_views(world, poses, np.random.default_rng(0))
    scenes, embree = pack([world]), Embree(world)
    index, out = np.zeros(1, dtype=np.int64), np.empty((1, SIDE, SIDE), dtype=np.float32)
    render_depth(scenes, index, places[:1], turns[:1], SIDE, SIDE, FOV, out=out)
    ours, theirs = [], []
    for n in range(poses):
        one = slice(n, n + 1)
        began = time.perf_counter()
        render_depth(scenes, index, places[one], turns[one], SIDE, SIDE, FOV, out=out)
        ours.append(time.perf_counter() - began)
        directions = embree.directions(turns[one])
        began = time.perf_counter()
        embree.cast(places[n], directions)
        theirs.append(time.perf_counter() - began)
    return statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3


def agreement(poses: int) -> float:
    """Return the share of pixels that agree with Embree, over all the generators."""
    rng = np.random.default_rng(1)
    agreed = total = 0
    for name in GENERATORS:
        world = make_world(name, int(rng.integers(1000)))
        places, turns = random_views(world, -(-poses // len(GENERATORS)), rng)
        embree = Embree(world)
        depths = render_depth(pack([world]), 0, places, turns, SIDE, SIDE, FOV)
        for depth, place, turn in zip(depths, places, turns, strict=True):
            truth = embree.cast(place, embree.directions(turn))
            nothing = truth > 1e6
            agreed += int((np.abs(depth - truth) < TOLERANCE)[~nothing].sum())
            agreed += int(np.isinf(depth)[nothing].sum())
            total += depth.size
    return agreed / total


def env_step_time(steps: int = 300) -> float:
    """Return the median [ms] of a vectorised environment's step, for each environment in it."""
    worlds = [make_world(name, 0) for name in GENERATORS]
    env = DroneVectorEnv(FlightTask(), worlds, ENVIRONMENTS)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(
        env.velocities.shape[0], size=(steps, ENVIRONMENTS)
    )
    times = []
    for row in actions:
        began = time.perf_counter()
        env.step(row)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3 / ENVIRONMENTS
