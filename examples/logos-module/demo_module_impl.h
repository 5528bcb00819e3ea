/*
 * A module of Logos Core as its author writes it: a plain C++ class, interface "universal". What Lifeboat needs of it is a
 * session, which begins when the framework has told the module who it is, and one function for its metrics.
 */
#pragma once

#include <logos_module_context.h>

#include <lifeboat_logos.hpp>

#include <cstdint>
#include <string>

class DemoModuleImpl : public LogosModuleContext {
public:
    std::string name() const { return "demo_module"; }

    /* Takes a message; answers how many there were. */
    int64_t receive(const std::string &message);

    /* What the module openmetrics asks for, started with {"name": "demo_module", "format": "text"}. */
    std::string collectOpenMetricsText();

protected:
    void onContextReady() override;

private:
    lifeboat::session session_;
    int64_t received_ = 0;
};
