/*
 * The part of logos-cpp-sdk's cpp/logos_provider_object.h and interface.h that generated code derives from, in words of
 * our own: the same names, the same virtual functions in the same order.
 */
#ifndef LOGOS_PROVIDER_OBJECT_H
#define LOGOS_PROVIDER_OBJECT_H

#include <QJsonArray>
#include <QString>
#include <QVariant>
#include <QVariantList>
#include <QtPlugin>

#include <functional>

class LogosAPI;

class LogosProviderObject {
public:
    virtual ~LogosProviderObject() = default;
    using EventCallback = std::function<void(const QString &, const QVariantList &)>;

    virtual QVariant callMethod(const QString &methodName, const QVariantList &args) = 0;
    virtual bool informModuleToken(const QString &moduleName, const QString &token) = 0;
    virtual QJsonArray getMethods() = 0;
    virtual void setEventListener(EventCallback callback) = 0;
    virtual void init(void *apiInstance) = 0;
    virtual QString providerName() const = 0;
    virtual QString providerVersion() const = 0;
};

class LogosProviderPlugin {
public:
    virtual ~LogosProviderPlugin() = default;
    virtual LogosProviderObject *createProviderObject() = 0;
};

#define LogosProviderPlugin_iid "org.logos.LogosProviderPlugin"
Q_DECLARE_INTERFACE(LogosProviderPlugin, LogosProviderPlugin_iid)

class PluginInterface {
public:
    virtual ~PluginInterface() {}
    virtual QString name() const = 0;
    virtual QString version() const = 0;
    LogosAPI *logosAPI = nullptr;
};

#define PluginInterface_iid "com.example.PluginInterface"
Q_DECLARE_INTERFACE(PluginInterface, PluginInterface_iid)

#endif
