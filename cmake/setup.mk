# How the environment in .venv and the build in install/ come about. Stamps say what is done.

say = @printf '\033[1m==> %s\033[0m\n' "$(1)"
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
PACKAGES := $(VENV)/.packages
DEV := $(VENV)/.dev
VIEW := $(VENV)/.view
DOCS := $(VENV)/.docs
BUILT := install/.built

# The environment of a machine with ROS, as far as CMake and colcon look at it.
ROS := CMAKE_PREFIX_PATH=$(VENV) AMENT_PREFIX_PATH=$(VENV) LD_LIBRARY_PATH=$(VENV)/lib \
	PATH=$(VENV)/bin:$$PATH PYTHONNOUSERSITE=1

$(VENV)/bin/python:
	@$(PYTHON) cmake/check_machine.py
	$(call say,Creating .venv with $$($(PYTHON) --version))
	@$(PYTHON) -m venv $(VENV)

$(PACKAGES): requirements/run.txt requirements/ros.txt requirements/build.txt \
		requirements/airsim.txt cmake/relocate_wheels.py | $(VENV)/bin/python
	$(call say,Installing PyTorch)
	@$(PIP) install $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) \
		$$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements/run.txt)
	$(call say,Installing ROS 2 Jazzy and the rest: about 2 GB and some minutes)
	@$(PIP) install -r requirements/build.txt -r requirements/run.txt -r requirements/ros.txt
	$(call say,Installing the AirSim client)
	@stand_in=$$(mktemp -d); touch $$stand_in/msgpackrpc.py; \
		PYTHONPATH=$$stand_in $(PIP) install --no-deps --no-build-isolation \
		-r requirements/airsim.txt; rm -r $$stand_in
	@$(VENV)/bin/python cmake/relocate_wheels.py $(VENV)
	@touch $@

$(DEV): requirements/dev.txt requirements/stock.txt $(PACKAGES)
	$(call say,Installing what the tests need)
	@$(PIP) install -r requirements/dev.txt
	@$(PIP) install --no-deps --target $(VENV)/stock-airsim -r requirements/stock.txt \
		>$(VENV)/stock-airsim.log 2>&1 || echo 'Going on without the stock AirSim transport'
	@touch $@

# About 700 MB with what it brings, hence only for a flight that is looked at.
$(VIEW): requirements/view.txt $(PACKAGES)
	$(call say,Installing the viewer)
	@$(PIP) install -r requirements/view.txt
	@touch $@

$(DOCS): requirements/docs.txt $(PACKAGES)
	$(call say,Installing what builds the documentation)
	@$(PIP) install -r requirements/docs.txt
	@touch $@

SOURCES := $(shell find rapid_nav msg launch config models cmake -type f \
	! -name '*.pyc' 2>/dev/null) CMakeLists.txt package.xml

$(BUILT): $(SOURCES) $(PACKAGES)
	$(call say,Building the package with colcon)
	@$(ROS) $(VENV)/bin/colcon --log-level error build --symlink-install \
		--event-handlers console_direct- desktop_notification- status- terminal_title- \
		--base-paths . \
		--cmake-args -DBUILD_TESTING=OFF -DPython3_EXECUTABLE=$(VENV)/bin/python
	$(call say,Compiling the simulator)
	@source install/setup.bash; python cmake/compile_simulator.py
	@touch $@
