/*
 * What the module does, and the counters beside it.
 */
#include "demo_module_impl.h"

static lifeboat_counter messages = LIFEBOAT_COUNTER("demo_module", "messages", "Messages received.", NULL);
static lifeboat_gauge longest = LIFEBOAT_GAUGE("demo_module", "longest_message", "Longest message so far.", "bytes");

void DemoModuleImpl::onContextReady() {
    /* LIFEBOAT_STATE_DIR of the host wins; alone, the module keeps its reports where it keeps everything else. */
    session_ = lifeboat_session(
        LIFEBOAT_OPTIONS.app("demo_module").version("1.4.2").state_dir(instancePersistencePath().c_str()));
    lifeboat_tag("instance", instanceId().c_str());
}

int64_t DemoModuleImpl::receive(const std::string &message) {
    static double bytes_max = 0;
    received_++;
    lifeboat_counter_add(&messages, 1);
    if (static_cast<double>(message.size()) > bytes_max) {
        bytes_max = static_cast<double>(message.size());
        lifeboat_gauge_set(&longest, bytes_max);
    }
    lifeboat_breadcrumb(LIFEBOAT_LEVEL_INFO, "demo", "received a message");
    return received_;
}

std::string DemoModuleImpl::collectOpenMetricsText() { return lifeboat::logos::collect_open_metrics_text(); }
