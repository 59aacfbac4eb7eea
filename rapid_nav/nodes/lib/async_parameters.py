"""Parameters whose change needs work: it is done in a thread while the node goes on."""

from collections.abc import Callable, Sequence
import threading
from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_service import ParameterService
from rclpy.task import Future


class AsyncParameterService(ParameterService):
    """
    The standard parameter services, but with a word beforehand to who must prepare.

    `prepare` gets the new values in a thread of its own; they are set, and so accepted or
    refused, when it returns, between two callbacks. Its node is made without the usual services,
    and what must go on meanwhile has a callback group of its own.
    """

    def __init__(self, node: Node, prepare: Callable[[dict[str, Any]], None]) -> None:
        before = len(list(node.services))
        super().__init__(node)
        group = MutuallyExclusiveCallbackGroup()
        for service in list(node.services)[before:]:
            service.callback_group = group
            group.add_entity(service)
        self._prepare = prepare

    async def _set_parameters_callback(
        self, request: SetParameters.Request, response: SetParameters.Response
    ) -> SetParameters.Response:
        await self._prepared(request.parameters)
        return super()._set_parameters_callback(request, response)

    async def _set_parameters_atomically_callback(
        self, request: SetParametersAtomically.Request, response: SetParametersAtomically.Response
    ) -> SetParametersAtomically.Response:
        await self._prepared(request.parameters)
        return super()._set_parameters_atomically_callback(request, response)

    def _prepared(self, parameters: Sequence[ParameterMessage]) -> Future:
        """Return what is done as soon as everything is prepared."""
        values = {p.name: Parameter.from_parameter_msg(p).value for p in parameters}
        done: Future = Future()

        def work() -> None:
            try:
                self._prepare(values)
            finally:
                done.set_result(None)
                executor = self._get_node().executor
                if executor is not None:
                    executor.wake()  # it sleeps until something happens

        threading.Thread(target=work, daemon=True).start()
        return done
