/*
 * The part of logos-cpp-sdk's cpp/logos_module_context.h that this example uses, in words of our own: what the framework
 * tells a module. A module that is built with logos-module-builder gets the real one.
 */
#ifndef LOGOS_MODULE_CONTEXT_H
#define LOGOS_MODULE_CONTEXT_H

#include <string>

class LogosModuleContext {
public:
    virtual ~LogosModuleContext() = default;

    const std::string &modulePath() const { return path_; }
    const std::string &instanceId() const { return instance_; }
    /* Writable, the module's own, survives upgrades; empty outside a host. */
    const std::string &instancePersistencePath() const { return persistence_; }

    /* Called by generated code, once. */
    void _logosCoreSetContext_(std::string path, std::string instance, std::string persistence) {
        path_ = std::move(path);
        instance_ = std::move(instance);
        persistence_ = std::move(persistence);
        onContextReady();
    }

protected:
    virtual void onContextReady() {}

private:
    std::string path_, instance_, persistence_;
};

#endif
