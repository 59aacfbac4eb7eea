"""AirSim's rules: tasks, control, resets, errors, the clock, several vehicles."""

import threading
import time

import airsim
import numpy as np
import pytest

from rapid_nav.airsim.drone import connect, RPCError
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.sim.rpc.server import PortInUse
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.world import make_world

STEP = 0.003  # [s]


def position(client, vehicle=''):
    return client.simGetGroundTruthKinematics(vehicle).position.to_numpy_array()


def velocity(client, vehicle=''):
    return client.simGetGroundTruthKinematics(vehicle).linear_velocity.to_numpy_array()


def run(client, seconds):
    client.simContinueForTime(seconds)


@pytest.fixture
def flying(client, drone):
    assert drone.take_off()
    run(client, 2.0)
    return client


def test_a_new_motion_ends_the_last_one_with_false_and_a_timed_one_ends_true(flying):
    first = flying.moveByVelocityAsync(0, 0, 0, 5)
    run(flying, 0.3)
    second = flying.moveByVelocityAsync(0, 0, 0, 0.3)
    first.join()
    assert first.result is False
    assert not second.done()
    run(flying, 0.3)
    second.join()
    assert second.result is True


def test_cancelling_ends_the_motion_with_false(flying):
    task = flying.moveToPositionAsync(20, 0, -2, 1)
    run(flying, 0.3)
    flying.cancelLastTask()
    task.join()
    assert task.result is False


def test_a_long_takeoff_stays_open_while_other_calls_are_answered(client, drone):
    drone.arm()
    takeoff = client.takeoffAsync()
    for _ in range(5):
        client.getMultirotorState()
        run(client, 0.1)
    assert not takeoff.done()
    run(client, 10)
    takeoff.join()
    assert takeoff.result is True


def test_no_duration_is_done_at_once(flying):
    assert flying.moveByVelocityAsync(1, 0, 0, 0).get() is True
    assert flying.moveByVelocityZAsync(1, 0, -2, 0).get() is False


def test_sixty_milliseconds_after_a_motion_the_drone_holds_its_place(flying):
    flying.moveByVelocityAsync(0, 0, 0, 1)
    run(flying, 1.0)
    flying.moveByVelocityAsync(1.5, 0, 0, 1.0)
    run(flying, 1.0)
    running = velocity(flying)[0]
    run(flying, 0.06)
    place = position(flying)
    assert velocity(flying)[0] > running - 0.05  # the order still stood
    run(flying, 6)
    assert np.linalg.norm(position(flying) - place) < 0.2
    assert np.linalg.norm(velocity(flying)) < 0.02


def test_takeoff_while_moving_is_refused(flying):
    flying.moveByVelocityAsync(1, 0, 0, 1)
    run(flying, 1)
    with pytest.raises(RPCError, match='already moving with velocity'):
        flying.takeoffAsync().get()


def test_without_control_commands_are_ignored_silently(client):
    task = client.moveByVelocityAsync(0, 0, -1, 0.5)
    run(client, 1)
    task.join()
    assert position(client)[2] == pytest.approx(0, abs=0.01)
    assert client.armDisarm(True) is False


def test_reset_ends_tasks_and_takes_control_away(flying):
    task = flying.moveByVelocityAsync(0, 0, 0, 5)
    flying.reset()
    task.join()
    assert task.result is False
    assert not flying.isApiControlEnabled()
    np.testing.assert_allclose(position(flying), 0, atol=1e-6)
    assert np.linalg.norm(velocity(flying)) == 0


def test_landing_ends_on_the_ground(flying):
    task = flying.landAsync()
    for _ in range(150):
        if task.done():
            break
        run(flying, 0.1)
    assert task.get(60) is True
    assert position(flying)[2] > -0.1
    run(flying, 1)
    assert flying.getMultirotorState().landed_state == airsim.LandedState.Landed


def test_a_position_is_reached_within_half_a_metre(flying):
    goal = position(flying) + (1.0, 0.0, 0.0)
    task = flying.moveToPositionAsync(*goal.tolist(), 0.5)
    run(flying, 10)
    assert task.get(60) is True
    assert np.linalg.norm(position(flying) - goal) < 0.6


def test_a_position_that_takes_too_long_is_false(flying):
    task = flying.moveToPositionAsync(*position(flying).tolist()[:2], -30, 0.1, timeout_sec=0.5)
    run(flying, 1)
    assert task.get(60) is False


def test_turning_to_a_heading_ends_near_it(flying):
    start = airsim.to_eularian_angles(flying.simGetVehiclePose().orientation)[2]
    goal = np.degrees(start) + 60
    task = flying.rotateToYawAsync(float(goal), 20, 5)
    run(flying, 10)
    assert task.get(60) is True
    end = airsim.to_eularian_angles(flying.simGetVehiclePose().orientation)[2]
    assert abs(np.degrees(end - start) - 60) < 7


def test_turning_left_is_negative_in_airsim_and_positive_in_ros(drone, flying):
    drone.fly(BodyVelocity(yaw_rate=0.5), 1.0)
    run(flying, 0.9)
    assert flying.simGetGroundTruthKinematics().angular_velocity.z_val < -0.3
    assert drone.sense().angular_velocity[2] > 0.3


def test_velocities_survive_a_teleport_and_nan_leaves_things_as_they_are(flying):
    flying.moveByVelocityAsync(0, 0, -0.5, 5)
    run(flying, 0.5)
    before, speed = position(flying), velocity(flying)
    nan = float('nan')
    flying.simSetVehiclePose(
        airsim.Pose(airsim.Vector3r(nan, nan, -1.5), airsim.Quaternionr.nanQuaternionr()), True
    )
    np.testing.assert_allclose(position(flying), [*before[:2], -1.5], atol=1e-5)
    np.testing.assert_array_equal(velocity(flying), speed)


def test_a_collision_is_reported_once(drone, flying):
    flying.simGetCollisionInfo()
    drone.fly(BodyVelocity(forward=4.0), 30)
    for _ in range(200):
        run(flying, 0.1)
        info = flying.simGetCollisionInfo()
        if info.has_collided:
            break
    assert info.has_collided
    assert info.object_name in flying.simListSceneObjects()
    assert 0 < info.time_stamp <= flying.getMultirotorState().timestamp
    assert abs(info.normal.get_length() - 1) < 1e-5
    again = flying.simGetCollisionInfo()
    assert not again.has_collided
    assert again.object_name == info.object_name


def test_a_paused_clock_steps_exactly(client):
    for seconds, steps in ((0.003, 1), (0.1, 33), (0.102, 34), (1.0, 333), (0.0, 0)):
        before = client.getMultirotorState().timestamp
        run(client, seconds)
        assert client.getMultirotorState().timestamp - before == steps * 3_000_000
    assert client.simIsPause()


@pytest.mark.figures
def test_a_free_clock_keeps_to_the_wall_and_to_its_speed(world):
    for speed in (1.0, 3.0, 0.5):
        with Server(world, {'ClockSpeed': speed}, port=0) as server:
            client = airsim.MultirotorClient(port=server.port, timeout_value=120)
            client.ping()
            begin, real = client.getMultirotorState().timestamp, time.monotonic()
            time.sleep(0.7)
            ran = (client.getMultirotorState().timestamp - begin) / 1e9
            assert ran / (time.monotonic() - real) == pytest.approx(speed, rel=0.1)
            client.client.close()


def test_a_pause_ends_a_long_run(client):
    ended = client.client.call_async('simContinueForTime', 900.0)
    client.simPause(True)
    ended.get(60)


@pytest.mark.parametrize('seconds', [-1.0, 1e9, float('nan'), float('inf')])
def test_impossible_times_are_refused(client, seconds):
    with pytest.raises(RPCError, match='threw an exception'):
        run(client, seconds)


def test_errors_read_as_rpclibs_do(client):
    call = client.client.call
    with pytest.raises(RPCError) as unknown:
        call('fly', 1, 2)
    assert str(unknown.value) == (
        "rpclib: server could not find function 'fly' with argument count 2."
    )
    with pytest.raises(RPCError) as count:
        call('simPause')
    assert str(count.value) == (
        "rpclib: client error C0002: Function 'simPause' was called with an invalid number of "
        'arguments. Expected: 1, got: 0'
    )
    with pytest.raises(RPCError) as kind:
        call('simPause', 1)
    assert str(kind.value) == (
        "rpclib: function 'simPause' (called with 1 arg(s)) threw an exception. "
        'The exception contained this information: std::bad_cast.'
    )
    with pytest.raises(RPCError, match="Vehicle API for 'nobody' is not available"):
        client.getMultirotorState('nobody')


def test_a_port_in_use_is_said_with_the_remedy(server, world):
    with pytest.raises(PortInUse, match='choose another port'):
        Server(world, port=server.port).start()


def test_two_vehicles_fly_side_by_side_each_from_its_own_origin(world):
    settings = {'Vehicles': {'a': {'VehicleType': 'SimpleFlight'}, 'b': {}}}
    with Server(world, settings, port=0, paused=True) as server:
        a, b = (connect(port=server.port, vehicle=name) for name in 'ab')
        assert a.vehicles() == ['a', 'b']
        assert a.take_off()
        assert b.sense().landed
        assert b.take_off()
        wrong = []

        def fly(drone):
            for _ in range(20):
                drone.fly(BodyVelocity(forward=0.5), 0.2)
                if drone.sense().depth.shape != (144, 256):
                    wrong.append(drone)

        threads = [threading.Thread(target=fly, args=[drone]) for drone in (a, b)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        a.step(0.2)
        assert not wrong
        origins = [vehicle.origin for vehicle in server.engine.vehicles.values()]
        assert np.linalg.norm(origins[0] - origins[1]) > 1
        for drone in (a, b):
            assert np.linalg.norm(drone.sense().position[:2]) < 0.5
            drone.close()


def test_the_simulator_comes_back_and_the_drone_flies_on(world):
    first = Server(world, port=0, paused=True).start()
    drone = connect(port=first.port, timeout_s=120)
    drone.take_off()
    first.stop()
    with pytest.raises(ConnectionError):
        drone.sense()
    with Server(world, port=first.port, paused=True):
        assert drone.sense().landed
        assert drone.take_off()
    drone.close()


def fly_lockstep(seed):
    """Return everything that a short flight under a paused clock senses, as bytes."""
    with Server(make_world('rooms', 5), port=0, seed=seed, start_ns=0, paused=True) as server:
        drone = connect(port=server.port)
        drone.take_off()
        seen = []
        for number in range(15):
            drone.fly(BodyVelocity(forward=1.0, yaw_rate=0.3 * (-1) ** number), 0.2)
            drone.step(0.102)
            sense = drone.sense(rgb=True)
            seen += [sense.depth, sense.rgb, sense.position, sense.orientation, sense.stamp_ns]
            seen += [drone.imu().linear_acceleration, drone.barometer().pressure]
        drone.close()
    return b''.join(np.asarray(part).tobytes() for part in seen)


def test_lockstep_flights_with_one_seed_are_the_same_to_the_last_bit():
    assert fly_lockstep(3) == fly_lockstep(3)


def test_another_world_can_be_loaded_in_flight(drone, server):
    drone.take_off()
    assert drone.new_world('pillars', 4)
    assert server.engine.world.name == 'pillars'
    assert drone.sense().landed
    with pytest.raises(RPCError, match='unknown world'):
        drone.new_world('moon', 1)


def test_objects_can_be_found_moved_and_scaled(client):
    names = client.simListSceneObjects()
    box = next(name for name in names if 'floor' not in name)
    pose = client.simGetObjectPose(box)
    pose.position.x_val += 1.5
    assert client.simSetObjectPose(box, pose)
    moved = client.simGetObjectPose(box).position
    assert moved.x_val == pytest.approx(pose.position.x_val, abs=1e-5)
    assert client.simGetObjectPose('no such thing').containsNan()
    assert not client.simSetObjectPose('no such thing', pose)
    assert client.simListSceneObjects(box) == [box]
    with pytest.raises(RPCError, match='no regular expression'):
        client.simListSceneObjects('(')


def test_a_start_given_in_the_settings_is_in_the_worlds_frame_and_not_in_the_ground(world):
    x, y, _, yaw = world.start_poses[1].tolist()
    here = {'X': x, 'Y': y, 'Yaw': float(np.degrees(yaw))}
    settings = {'Vehicles': {'low': {**here, 'Z': 0}, 'high': {**here, 'Z': -1.4}}}
    with Server(world, settings, port=0, paused=True) as server:
        low, high = (connect(port=server.port, vehicle=name) for name in ('low', 'high'))
        assert low.sense().landed
        assert not high.sense().landed
        heights = [vehicle.origin[2] for vehicle in server.engine.vehicles.values()]
        np.testing.assert_allclose(heights, [-0.2, -1.4], atol=0.01)
        high.arm()
        high.step(2.0)
        assert np.linalg.norm(high.sense().position) < 0.1
        for drone in (low, high):
            drone.close()


def test_a_drone_put_back_on_the_ground_stands_there(drone, flying):
    home = airsim.Pose()
    flying.simSetVehiclePose(home, True)
    assert drone.sense().landed
    run(flying, 1.0)
    assert drone.sense().landed
    assert drone.take_off()


def test_kinematics_can_be_set_in_part(flying):
    state = airsim.KinematicsState()
    state.linear_velocity = airsim.Vector3r(0, 0, -0.4)
    before = position(flying)
    flying.simSetKinematics(state, True)
    np.testing.assert_allclose(velocity(flying), [0, 0, -0.4], atol=1e-6)
    np.testing.assert_allclose(position(flying), before, atol=1e-6)
