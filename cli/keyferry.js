#!/usr/bin/env node
// Starts the built command with a Node that Azurite and the Azure SDKs accept: this one, or the one npm installed.
'use strict';
