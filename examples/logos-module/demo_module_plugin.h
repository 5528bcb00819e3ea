/*
 * The Qt plugin around the module, as logos-cpp-generator writes one: a provider that calls the class by the names of its
 * methods, and the plugin that makes the provider. Nobody writes this by hand.
 */
#pragma once

#include "demo_module_impl.h"

#include <logos_provider_object.h>

#include <QJsonObject>
#include <QObject>

class DemoModuleProvider : public LogosProviderObject {
public:
    QVariant callMethod(const QString &method, const QVariantList &arguments) override {
        if (method == QLatin1String("receive") && arguments.size() == 1) {
            return QVariant::fromValue(qlonglong(impl_.receive(arguments.at(0).toString().toStdString())));
        }
        if (method == QLatin1String("collectOpenMetricsText") && arguments.isEmpty()) {
            return QString::fromStdString(impl_.collectOpenMetricsText());
        }
        return QVariant();
    }
    bool informModuleToken(const QString &, const QString &) override { return true; }
    QJsonArray getMethods() override {
        return {QJsonObject{{"name", "receive"}}, QJsonObject{{"name", "collectOpenMetricsText"}}};
    }
    void setEventListener(EventCallback) override {}
    /* The host hands the context over as properties of its LogosAPI. */
    void init(void *api) override {
        const QObject *properties = static_cast<QObject *>(api);
        const auto text = [properties](const char *name) { return properties->property(name).toString().toStdString(); };
        impl_._logosCoreSetContext_(text("modulePath"), text("instanceId"), text("instancePersistencePath"));
    }
    QString providerName() const override { return QStringLiteral("demo_module"); }
    QString providerVersion() const override { return QStringLiteral("1.4.2"); }

private:
    DemoModuleImpl impl_;
};

class DemoModulePlugin : public QObject, public PluginInterface, public LogosProviderPlugin {
    Q_OBJECT
    Q_PLUGIN_METADATA(IID LogosProviderPlugin_iid FILE "metadata.json")
    Q_INTERFACES(PluginInterface LogosProviderPlugin)

public:
    QString name() const override { return QStringLiteral("demo_module"); }
    QString version() const override { return QStringLiteral("1.4.2"); }
    LogosProviderObject *createProviderObject() override { return new DemoModuleProvider(); }
};
