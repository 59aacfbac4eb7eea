"""Parameter services that prepare a change in a thread while the node goes on."""

from collections.abc import Callable, Sequence
import contextlib
import threading
from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue, SetParametersResult
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.exceptions import ParameterNotDeclaredException, ParameterUninitializedException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_parameters
from rclpy.task import Future


class AsyncParameterService:
    """
    The standard parameter services of a node that is made without them.

    `prepare` gets the new values in a thread of its own; they are set, and so accepted or
    refused, when it returns, between two callbacks. The services share a callback group, so what
    must go on meanwhile belongs in another one.
    """

    def __init__(self, node: Node, prepare: Callable[[dict[str, Any]], None]) -> None:
        self._node, self._prepare = node, prepare
        group = MutuallyExclusiveCallbackGroup()
        services: tuple[tuple[type, str, Callable[..., Any]], ...] = (
            (
                DescribeParameters,
                'describe_parameters',
                _read('descriptors', node.describe_parameters),
            ),
            (GetParameters, 'get_parameters', _read('values', self._values)),
            (GetParameterTypes, 'get_parameter_types', _read('types', node.get_parameter_types)),
            (ListParameters, 'list_parameters', self._list),
            (SetParameters, 'set_parameters', self._set),
            (SetParametersAtomically, 'set_parameters_atomically', self._set_atomically),
        )
        for kind, name, callback in services:
            node.create_service(
                kind,
                f'{node.get_name()}/{name}',
                callback,
                qos_profile=qos_profile_parameters,
                callback_group=group,
            )

    def _values(self, names: list[str]) -> list[ParameterValue]:
        return [one.get_parameter_value() for one in self._node.get_parameters(names)]

    def _list(
        self, request: ListParameters.Request, response: ListParameters.Response
    ) -> ListParameters.Response:
        response.result = self._node.list_parameters(request.prefixes, request.depth)
        return response

    async def _set(
        self, request: SetParameters.Request, response: SetParameters.Response
    ) -> SetParameters.Response:
        await self._prepared(request.parameters)
        response.results = [self._result([one]) for one in request.parameters]
        return response

    async def _set_atomically(
        self, request: SetParametersAtomically.Request, response: SetParametersAtomically.Response
    ) -> SetParametersAtomically.Response:
        await self._prepared(request.parameters)
        response.result = self._result(request.parameters)
        return response

    def _result(self, messages: Sequence[ParameterMessage]) -> SetParametersResult:
        """Set parameters, all or none."""
        parameters = [Parameter.from_parameter_msg(message) for message in messages]
        try:
            return self._node.set_parameters_atomically(parameters)
        except ParameterNotDeclaredException as error:
            return SetParametersResult(successful=False, reason=str(error))

    def _prepared(self, messages: Sequence[ParameterMessage]) -> Future:
        """Return what is done as soon as everything is prepared."""
        values = {one.name: Parameter.from_parameter_msg(one).value for one in messages}
        done = Future()

        def work() -> None:
            try:
                self._prepare(values)
            finally:
                done.set_result(None)
                if self._node.executor is not None:
                    self._node.executor.wake()  # it sleeps until something happens

        threading.Thread(target=work, daemon=True).start()
        return done


def _read(field: str, read: Callable[[list[str]], list[Any]]) -> Callable[..., Any]:
    """Return a service callback that answers what is read of the names, in a field."""

    def answer(request: Any, response: Any) -> Any:
        # As in rclpy, a request with an unknown name is answered by an empty list.
        with contextlib.suppress(ParameterNotDeclaredException, ParameterUninitializedException):
            setattr(response, field, read(request.names))
        return response

    return answer
