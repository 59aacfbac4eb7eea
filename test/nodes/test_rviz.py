"""The rviz window: every class and property is one that rviz has, every topic one of ours."""

from collections.abc import Callable, Iterator
import copy
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
import rviz_facts as facts
import yaml

from rapid_nav.nodes.airsim_bridge import AirSimBridge
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.scene_markers import SceneMarkers

CONFIG = Path(__file__).parents[2] / 'config' / 'rapid_nav.rviz'
Published = dict[str, TopicEndpointInfo]


def window() -> dict[str, Any]:
    """Return the configuration as rviz reads it."""
    return yaml.safe_load(CONFIG.read_text())


def displays(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the displays of a configuration."""
    return config['Visualization Manager']['Displays']


@pytest.fixture(scope='module')
def published() -> Iterator[Published]:
    """Return what the nodes that draw offer, as the middleware tells it, under /rapid."""
    from rapid_nav.stack.flight import reserve_domain

    with reserve_domain() as domain:
        rclpy.init(args=['--ros-args', '-r', '__ns:=/rapid'], domain_id=domain)
        nodes: list[Node] = [AirSimBridge(), SceneMarkers()]
        try:
            yield {
                topic: offer
                for node in nodes
                for topic, _ in node.get_publisher_names_and_types_by_node(
                    node.get_name(), node.get_namespace()
                )
                for offer in node.get_publishers_info_by_topic(topic)[:1]
            }
        finally:
            for node in nodes:
                node.destroy_node()
            rclpy.try_shutdown()


def strangers(given: Any, known: dict[str, Any], where: str) -> list[str]:
    """Return the paths of properties that rviz would not know."""
    if not isinstance(given, dict):
        return []
    wrong = []
    for name, value in given.items():
        below = known.get(name, known.get(facts.ANY_NAME))
        if below is None or (isinstance(value, dict) and not below):
            wrong.append(f'{where}/{name}')
        else:
            wrong += strangers(value, below, f'{where}/{name}')
    return wrong


def complaints(config: dict[str, Any], published: Published) -> list[str]:
    """Return all that rviz would stumble over or show nothing for."""
    found = []
    for display in displays(config):
        name, kind = display['Name'], display['Class']
        if kind not in facts.DISPLAYS:
            found.append(f'{name}: rviz has no class {kind}')
            continue
        shows, properties = facts.DISPLAYS[kind]
        found += strangers(display, {**facts.EVERY_DISPLAY, **properties}, name)
        if shows:
            found += topic_complaints(name, display['Topic'], shows, published)
    return found


def topic_complaints(
    name: str, topic: dict[str, Any], shows: str, published: Published
) -> list[str]:
    """Return why a display would not get its messages."""
    for policy, choices in facts.QOS_CHOICES.items():
        if topic.get(policy) not in choices:
            return [f'{name}: {policy} is {topic.get(policy)!r}']
    offer = published.get(topic['Value'])
    if offer is None:
        return [f'{name}: nobody publishes {topic["Value"]}']
    if offer.topic_type != shows:
        return [f'{name}: {topic["Value"]} is {offer.topic_type}, not {shows}']
    qos = offer.qos_profile
    asks_for_more = (
        topic['Reliability Policy'] == 'Reliable' and qos.reliability != ReliabilityPolicy.RELIABLE
    ) or (
        topic['Durability Policy'] == 'Transient Local'
        and qos.durability != DurabilityPolicy.TRANSIENT_LOCAL
    )
    return (
        [f'{name}: {topic["Value"]} is offered with less than is asked for']
        if asks_for_more
        else []
    )


def test_every_display_is_one_that_rviz_has_and_shows_a_topic_that_is_published(
    published: Published,
) -> None:
    assert complaints(window(), published) == []


def test_all_that_there_is_to_see_has_a_display() -> None:
    shown = {display['Topic']['Value'] for display in displays(window()) if 'Topic' in display}
    assert {
        '/rapid/scene',
        '/rapid/trail',
        '/rapid/decision_markers',
        '/rapid/odom',
        '/rapid/camera/depth',
        '/rapid/camera/image',
    } == shown
    assert all(display['Enabled'] for display in displays(window()))


def test_panels_tools_and_view_are_such_as_rviz_has() -> None:
    config = window()
    manager = config['Visualization Manager']
    assert {panel['Class'] for panel in config['Panels']} <= facts.PANELS
    assert {tool['Class'] for tool in manager['Tools']} <= facts.TOOLS
    view = manager['Views']['Current']
    assert view['Class'] == 'rviz_default_plugins/Orbit' and view['Class'] in facts.VIEW_CLASSES
    assert strangers(view, facts.ORBIT, 'view') == []
    assert strangers(manager['Global Options'], facts.GLOBAL_OPTIONS, 'global') == []


def test_frames_are_those_of_the_messages() -> None:
    manager = window()['Visualization Manager']
    assert manager['Global Options']['Fixed Frame'] == conversions.ODOM
    assert manager['Views']['Current']['Target Frame'] == conversions.BASE


def renamed_topic(config: dict[str, Any]) -> None:
    displays(config)[1]['Topic']['Value'] = '/rapid/world'


def misspelt_class(config: dict[str, Any]) -> None:
    displays(config)[1]['Class'] = 'rviz_default_plugins/MarkersArray'


def misspelt_property(config: dict[str, Any]) -> None:
    displays(config)[0]['Cellsize'] = 1


def misspelt_policy(config: dict[str, Any]) -> None:
    displays(config)[1]['Topic']['Durability Policy'] = 'Transient local'


def wrong_type(config: dict[str, Any]) -> None:
    displays(config)[1]['Topic']['Value'] = '/rapid/odom'


def impossible_wish(config: dict[str, Any]) -> None:
    topic = next(d for d in displays(config) if d['Name'] == 'Depth')['Topic']
    topic['Durability Policy'] = 'Transient Local'


@pytest.mark.parametrize(
    'spoil',
    [
        renamed_topic,
        misspelt_class,
        misspelt_property,
        misspelt_policy,
        wrong_type,
        impossible_wish,
    ],
)
def test_a_mistake_in_the_window_is_found(
    spoil: Callable[[dict[str, Any]], None], published: Published
) -> None:
    config = copy.deepcopy(window())
    spoil(config)
    assert len(complaints(config, published)) == 1
