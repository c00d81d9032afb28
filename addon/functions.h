// The addon's plain functions, each defined beside its kind: files, events, sockets, locks, devices.
#pragma once
#include <napi.h>

namespace conduit {
void DefineMemfd(Napi::Env env, Napi::Object exports);
void DefineEventfd(Napi::Env env, Napi::Object exports);
void DefineUnixSocket(Napi::Env env, Napi::Object exports);
void DefineTcpSocket(Napi::Env env, Napi::Object exports);
void DefineUnixDatagram(Napi::Env env, Napi::Object exports);
void DefineFileLock(Napi::Env env, Napi::Object exports);
void DefineDevice(Napi::Env env, Napi::Object exports);
void DefineXenGrants(Napi::Env env, Napi::Object exports);
void DefineXenEvents(Napi::Env env, Napi::Object exports);
}  // namespace conduit
