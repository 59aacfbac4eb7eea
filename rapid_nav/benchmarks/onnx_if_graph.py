"""Two stages as one ONNX graph, the second inside an If: an alternative that was measured."""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import onnxruntime

from rapid_nav.inference.onnx_policy import bound_call, make_session
from rapid_nav.inference.policy_package import PolicyPackage


def make(
    package: PolicyPackage, options: onnxruntime.SessionOptions
) -> Callable[[np.ndarray, bool], tuple[np.ndarray, float]]:
    """Return a call of the graph: observation, full -> Q-values (A,) and the branch's logit."""
    network = package.metadata.network
    session = make_session(build(package), options)
    buffers = {
        'source': np.zeros((1, *network.input_shape), np.float32),
        'needed': np.zeros((1, 1), np.float32),
        'logit': np.zeros((1, 1), np.float32),
        'final': np.zeros((1, network.num_actions), np.float32),
    }
    call = bound_call(session, buffers)

    def run(observation: np.ndarray, full: bool) -> tuple[np.ndarray, float]:
        np.copyto(buffers['source'], observation)
        buffers['needed'][0, 0] = np.inf if full else -np.inf
        call()
        return buffers['final'][0], buffers['logit'].item()

    return run


def build(package: PolicyPackage) -> bytes:
    """Return the graph; 'needed' (1, 1) is the logit below which the full network answers."""
    actions = package.metadata.network.num_actions
    first, last = (onnx.load_from_string(model) for model in package.models)
    slope = float({entry.key: entry.value for entry in first.metadata_props}['slope'])
    _rename(first.graph, 'branch_')
    _rename(last.graph, 'full_')

    def tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    constants = [
        *first.graph.initializer,
        numpy_helper.from_array(np.array([[slope]], np.float32), 'slope'),
        *(
            numpy_helper.from_array(np.array([value]), f'at_{value}')
            for value in (0, 1, actions, actions + 1)
        ),
    ]
    deep = helper.make_graph(
        [*last.graph.node, helper.make_node('Flatten', ['full_answer'], ['full'])],
        'deep',
        [],
        [tensor('full', 1, actions)],
        list(last.graph.initializer),
    )
    early = helper.make_graph(
        [helper.make_node('Identity', ['q'], ['kept'])], 'early', [], [tensor('kept', 1, actions)]
    )
    nodes = [
        *first.graph.node,
        helper.make_node('Flatten', ['branch_answer'], ['branch']),
        helper.make_node('Slice', ['branch', 'at_0', f'at_{actions}', 'at_1'], ['q']),
        helper.make_node(
            'Slice', ['branch', f'at_{actions}', f'at_{actions + 1}', 'at_1'], ['raw']
        ),
        helper.make_node('ReduceMax', ['q'], ['best'], axes=[1], keepdims=1),
        helper.make_node('Mul', ['best', 'slope'], ['spread']),
        helper.make_node('Sub', ['raw', 'spread'], ['logit']),
        helper.make_node('Less', ['logit', 'needed'], ['unsure']),
        helper.make_node('Squeeze', ['unsure'], ['go_on']),
        helper.make_node('If', ['go_on'], ['final'], then_branch=deep, else_branch=early),
    ]
    graph = helper.make_graph(
        nodes,
        'stages',
        [tensor('source', 1, *package.metadata.network.input_shape), tensor('needed', 1, 1)],
        [tensor('final', 1, actions), tensor('logit', 1, 1)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _rename(graph: onnx.GraphProto, prefix: str) -> None:
    """Put a prefix before every name but the input's."""
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name != 'source':
                    names[index] = prefix + name
        node.name = node.output[0]
    for constant in graph.initializer:
        constant.name = prefix + constant.name
